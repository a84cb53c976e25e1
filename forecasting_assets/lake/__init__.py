"""Tables on disk or in an object store, what they were made from, and the landing zone. No Dagster."""
