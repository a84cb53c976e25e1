"""The command line `forecasting-assets`: one module for each group of commands."""

from forecasting_assets.cli.app import main

__all__ = ["main"]
