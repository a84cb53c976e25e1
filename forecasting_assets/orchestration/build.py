"""The Dagster code location: assets, checks, automation and resources put together."""

import warnings
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg

from forecasting_assets.forecasting.model import ForecastingModel
from forecasting_assets.forecasting.registry import find_models
from forecasting_assets.lake.home import Home, open_home
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import Landing
from forecasting_assets.orchestration.alerts import alert_sensor
from forecasting_assets.orchestration.assets import forecasts, models, orders, planning
from forecasting_assets.orchestration.assets.landing import file_assets
from forecasting_assets.orchestration.checks import forecasts as forecast_checks
from forecasting_assets.orchestration.checks import orders as order_checks
from forecasting_assets.orchestration.checks import planning as planning_checks
from forecasting_assets.orchestration.checks.factory import CheckFunction, weekly_checks
from forecasting_assets.orchestration.factory import AssetFunction, companion_specs, weekly_asset
from forecasting_assets.orchestration.jobs import weekly_plan
from forecasting_assets.orchestration.resources import WEEKS_MADE, WeeksMade, tracking_resource
from forecasting_assets.orchestration.schedules import weekly_schedule
from forecasting_assets.orchestration.sensors import new_orders_sensor
from forecasting_assets.runtime.messages import Channels
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.tables import DEMAND_FORECAST, model_table
from forecasting_assets.workflows.forecasts import model_tables

#: By noon of each Monday (UTC) a plan must have been made since the week before closed.
PLAN_DUE = dg.FreshnessPolicy.cron("0 12 * * 1", lower_bound_delta=timedelta(hours=12), timezone="UTC")
#: How each asset of the graph is made, without those of models.
_FUNCTIONS = {
    "raw_orders": AssetFunction(orders.raw_orders, frozenset({"pyspark", "parquet"})),
    "clean_orders": AssetFunction(orders.clean_orders, frozenset({"pyspark", "parquet"})),
    "order_book": AssetFunction(orders.order_book, frozenset({"pyspark", "parquet"})),
    "weekly_demand": AssetFunction(orders.weekly_demand, frozenset({"pyspark", "parquet"})),
    "feature_table": AssetFunction(orders.feature_table, frozenset({"pyspark", "parquet"})),
    "known_covariates": AssetFunction(planning.known_covariates, frozenset({"csv", "parquet"})),
    "backtest_report": AssetFunction(forecasts.backtest_report, frozenset({"numpy", "mlflow"})),
    "demand_forecast": AssetFunction(forecasts.demand_forecast, frozenset({"numpy"})),
    "manufacturer_network": AssetFunction(planning.manufacturer_network, frozenset({"csv"})),
    "demand_plan": AssetFunction(planning.demand_plan, frozenset({"numpy"})),
    "allocation_plan": AssetFunction(planning.allocation_plan, frozenset({"cvxpy", "highs"}), PLAN_DUE),
    "business_impact": AssetFunction(planning.business_impact, frozenset({"cvxpy", "highs"})),
}

#: How the checks of each asset are evaluated, without those of models.
_CHECKS = {
    "raw_orders": CheckFunction(order_checks.raw_findings, order_checks.gather_landed),
    "clean_orders": CheckFunction(order_checks.clean_findings, order_checks.gather_clean),
    "order_book": CheckFunction(order_checks.book_findings),
    "weekly_demand": CheckFunction(order_checks.demand_findings, order_checks.gather_volumes),
    "feature_table": CheckFunction(order_checks.feature_findings),
    "known_covariates": CheckFunction(planning_checks.covariate_findings),
    "backtest_report": CheckFunction(forecast_checks.backtest_findings),
    "demand_forecast": CheckFunction(partial(forecast_checks.forecast_findings, table=DEMAND_FORECAST)),
    "manufacturer_network": CheckFunction(planning_checks.network_findings),
    "demand_plan": CheckFunction(planning_checks.demand_plan_findings),
    "allocation_plan": CheckFunction(planning_checks.plan_findings),
    "business_impact": CheckFunction(planning_checks.impact_findings),
}


def asset_functions(settings: Settings) -> dict[str, AssetFunction]:
    """Return how each asset of the graph is made."""
    used = find_models(settings.forecasting.models)
    return _FUNCTIONS | {model_table(model.name).name: _model_function(model) for model in used}


def _model_function(model: ForecastingModel) -> AssetFunction:
    function = partial(models.forecast_weeks, model)
    function.__doc__ = model.__doc__
    return AssetFunction(function, model.kinds | {"pyspark", "mlflow"})


def asset_checks(settings: Settings) -> dict[str, CheckFunction]:
    """Return how the checks of each asset are evaluated."""
    findings, tables = forecast_checks.forecast_findings, model_tables(settings).values()
    return _CHECKS | {table.name: CheckFunction(partial(findings, table=table)) for table in tables}


def build_defs(
    settings: Settings, *, lake: Lake | None = None, landing: Landing | None = None, **resources: Any
) -> dg.Definitions:
    """Build the code location.

    Parameters
    ----------
    settings
        Settings of the home.
    lake, landing
        What to use instead of the lake and the landing zone that `settings` name.
    **resources
        Dagster resources to use instead of its own: `spark`, `tracking`.
    """
    # Backfill policies and partitioned checks are in beta in Dagster; pyproject.toml pins the minor version.
    with warnings.catch_warnings():
        for category in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", category)
        return _assemble(open_home(settings, lake, landing), resources)


def _assemble(home: Home, resources: dict[str, Any]) -> dg.Definitions:
    pipeline, settings = home.pipeline, home.settings
    channels = Channels.of(settings.alerts)
    functions, checks = asset_functions(settings), asset_checks(settings)
    assets = [weekly_asset(home, asset, functions[name]) for name, asset in pipeline.items()]
    companions = [spec for asset in pipeline.values() for spec in companion_specs(home, asset)]
    return dg.Definitions(
        assets=[*assets, *file_assets(home), *companions],
        asset_checks=[weekly_checks(home, asset, checks[name]) for name, asset in pipeline.items()],
        jobs=[weekly_plan()],
        schedules=[weekly_schedule()],
        sensors=[new_orders_sensor(home), *([alert_sensor(home, channels)] if channels.names else [])],
        executor=_executor(),
        resources={
            WEEKS_MADE: WeeksMade(landing=home.landing),
            "settings": settings,
            "lake": home.lake,
            "landing": home.landing,
            "spark": Spark.of(settings.spark),
            "tracking": tracking_resource(settings.tracking_uri, settings.artifacts_uri),
            **resources,
        },
    )


def _executor() -> dg.ExecutorDefinition:
    """Return an executor of one process, and so of one JVM a run.

    A step starts once the steps that it needs have ended, even if a week of them failed.
    """
    return dg.in_process_executor.configured(
        {"step_dependency_config": {"require_upstream_step_success": False}}, name="one_process"
    )
