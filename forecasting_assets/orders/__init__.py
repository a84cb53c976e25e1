"""Order files to weekly demand: read, clean, aggregate and check order lines. Pure functions, no Dagster."""
