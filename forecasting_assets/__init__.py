"""Weekly demand forecasts and capacity plans for manufacturing marketplaces, as Dagster assets."""
