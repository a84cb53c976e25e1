"""Use cases that join the core and the lake, for assets and command line alike. No Dagster."""
