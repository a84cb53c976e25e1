"""A home that is open: its settings, its graph, and where its orders and tables are."""

from dataclasses import dataclass

from forecasting_assets.graph import Pipeline
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import Landing
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import Settings


@dataclass(frozen=True)
class Home:
    """What everything above the lake is handed.

    Attributes
    ----------
    settings
        Settings of the home.
    pipeline
        The graph.
    lake
        Its tables.
    landing
        Its landing zone.
    """

    settings: Settings
    pipeline: Pipeline
    lake: Lake
    landing: Landing


def open_home(settings: Settings, lake: Lake | None = None, landing: Landing | None = None) -> Home:
    """Open a home.

    Parameters
    ----------
    settings
        Settings of the home.
    lake, landing
        What to use instead of the lake and the landing zone that `settings` name.
    """
    return Home(
        settings, build_pipeline(settings), lake or Lake(settings.lake_path), landing or Landing.of(settings)
    )
