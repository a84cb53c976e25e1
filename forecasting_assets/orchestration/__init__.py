"""All of Dagster: the code location, its assets, checks, sensors, schedules and runs."""
