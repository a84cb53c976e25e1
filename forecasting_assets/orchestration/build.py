"""The Dagster code location: assets, checks, automation and resources put together, in a process of its own."""

import warnings
from typing import Any

import dagster as dg

from forecasting_assets.lake.freshness import Lineage
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import Landing
from forecasting_assets.orchestration.assets.forecasts import forecast_assets
from forecasting_assets.orchestration.assets.landing import companion_specs, source_assets
from forecasting_assets.orchestration.assets.models import model_assets
from forecasting_assets.orchestration.assets.orders import order_assets
from forecasting_assets.orchestration.assets.planning import planning_assets
from forecasting_assets.orchestration.checks.models import model_checks
from forecasting_assets.orchestration.checks.orders import order_checks
from forecasting_assets.orchestration.checks.planning import planning_checks
from forecasting_assets.orchestration.factory import Weekly
from forecasting_assets.orchestration.jobs import jobs
from forecasting_assets.orchestration.materialize import WEEKS_MADE, WeeksMade, executor
from forecasting_assets.orchestration.schedules import schedules
from forecasting_assets.orchestration.sensors import sensors
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.tracking.client import Tracking


def build_defs(settings: Settings, **resources: Any) -> dg.Definitions:
    """The code location for `settings`; `resources` replace its own."""
    # Backfill policies and partitioned checks are not yet final in Dagster; requirements.lock pins what works.
    with warnings.catch_warnings():
        for category in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", category)
        return _assemble(settings, resources)


def lineage_of(settings: Settings) -> Lineage:
    """What the weeks in the lake were made from, and whether that is still so."""
    weekly = Weekly(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        _assets(weekly)
    return Lineage(weekly)


def _assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    """All assets, in the order of the graph."""
    return [
        *order_assets(weekly),
        *model_assets(weekly),
        *forecast_assets(weekly),
        *planning_assets(weekly),
    ]


def _assemble(settings: Settings, resources: dict[str, Any]) -> dg.Definitions:
    weekly, landing = Weekly(settings), Landing.of(settings)
    return dg.Definitions(
        assets=[*_assets(weekly), *source_assets(weekly), *companion_specs(weekly)],
        asset_checks=[*order_checks(weekly), *model_checks(weekly), *planning_checks(weekly)],
        jobs=jobs(weekly),
        schedules=schedules(weekly),
        sensors=sensors(weekly),
        executor=executor(),
        resources={
            WEEKS_MADE: WeeksMade(landing=landing),
            "spark": Spark.of(settings.spark),
            "lake": Lake(path=settings.lake_path),
            "landing": landing,
            "tracking": Tracking(tracking_uri=settings.tracking_uri, artifacts=settings.artifacts_uri),
            **resources,
        },
    )
