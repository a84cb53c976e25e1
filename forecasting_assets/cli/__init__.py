"""The command line `forecasting-assets`: one module for each group of commands."""

from forecasting_assets.cli.app import CommandFailedError, main, run_as_job

__all__ = ["CommandFailedError", "main", "run_as_job"]
