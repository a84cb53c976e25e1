"""The home that a command works in."""

import os

import click

from forecasting_assets.settings import SETTINGS_FILE, Settings, forecasting_home, load_settings

#: A folder that contains any of these is a home.
_MARKERS = (SETTINGS_FILE, "landing", "lake")
#: With this variable set, as in a container, the folder of a home may be empty.
_LANDING_VARIABLE = "FORECASTING__ORDERS__LANDING"


def load_existing_settings() -> Settings:
    """Load the settings of FORECASTING_HOME.

    Raises
    ------
    click.UsageError
        If there is no home: a misspelt path must not look like an empty, healthy home.
    """
    home = forecasting_home()
    if not any((home / marker).exists() for marker in _MARKERS) and _LANDING_VARIABLE not in os.environ:
        raise click.UsageError(
            f"There is no home at {home}: run `forecasting-assets init` or `forecasting-assets demo` first, or set "
            "FORECASTING_HOME to the folder of an existing one."
        )
    return load_settings(home)
