"""Forecast a week again with changed prices, promotions and other covariates, by the models of that week."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation import DemandChange, parse_scope
from forecasting_assets.errors import PicklableError
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.forecasting.covariate_change import (
    CovariateChange,
    CovariateChangeError,
    changed_rows,
    known_values,
    values_beyond,
)
from forecasting_assets.forecasting.model import ModelData
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.registry import find_models
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import BACKTEST_REPORT, DEMAND_PLAN, SERIES, Table, model_table
from forecasting_assets.tracking.week_model import week_model_files
from forecasting_assets.weeks import add_weeks, refit_week
from forecasting_assets.workflows.model_cache import MODEL_FOLDER, model_context
from forecasting_assets.workflows.part_history import part_history

#: Changes of the expected demand by less than this share are left out.
SMALLEST_CHANGE = 0.0005
_CELL = [*SERIES, "target_week"]


class LoggedModelError(PicklableError, ValueError):
    """A model of a week that MLflow does not have in a usable form; `model` is its asset, `week` the week."""

    def __init__(self, model: str, week: date, problem: str) -> None:
        super().__init__(f"{model} of {week} {problem}")
        self.model, self.week = model, week


def covariate_effect(
    settings: Settings, lake: Lake, week: date, changes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast what changed covariates change in the expected demand of coming weeks.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    week
        A week with a demand plan.
    changes
        Each `SCOPE:NAME=-10%` or `SCOPE:NAME=VALUE`; a scope is `CATEGORY/REGION` or `PART/REGION`, with `@WEEK` for
        one week and `*` for all.

    Returns
    -------
    tuple
        part_id, region, target_week, before and after (mean in units, the models weighted as in demand_forecast, but
        not reconciled with forecasts of markets), of the series in the scopes; and the changed values that lie outside
        those known so far (`values_beyond`).

    Raises
    ------
    CovariateChangeError
        If a change cannot be tried, changes nothing, or no forecast depends on it.
    LoggedModelError
        If a model of the week cannot be loaded from MLflow.
    AllocationError
        If a scope has an unknown or ambiguous name.
    """
    plan = lake.read_pandas(DEMAND_PLAN, [week], [*SERIES, "part_category", "due_week"])
    parsed = [CovariateChange.parse(text) for text in changes]
    scopes = [parse_scope(change.scope, plan) for change in parsed]
    in_scope = np.any([scope.covers(plan) for scope in scopes], axis=0)
    series = plan.loc[in_scope, SERIES].drop_duplicates()
    fitted_at = refit_week(week, settings.forecasting.refit_weeks)
    history, totals = part_history(settings, lake, fitted_at, week, series["part_id"].unique())
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    panel, horizon = Panel.from_history(history, first, week), settings.calendar.horizon_weeks
    cells = known_values(panel, horizon)[0]
    rows = changed_rows(panel, horizon, [(c, s.covers(cells)) for c, s in zip(parsed, scopes, strict=True)])
    if rows.empty:
        raise CovariateChangeError(", ".join(changes), "the known values are the same already")
    features = lake.read_pandas(feature_columns(horizon), [week])
    features = features[features["part_id"].isin(series["part_id"])]
    case = pd.concat([history, rows], ignore_index=True)
    before, after = (
        _mean(settings, lake, week, ModelData(features, table, totals)) for table in (history, case)
    )
    effect = before.rename("before").to_frame().assign(after=after).reset_index()
    if np.array_equal(effect["before"], effect["after"]):
        raise CovariateChangeError(
            ", ".join(changes), f"no forecast of {week} depends on it: too few weeks of covariates were known"
        )
    effect = effect.merge(series, on=SERIES).sort_values(_CELL, ignore_index=True)
    return effect, values_beyond(panel, horizon, rows)


def demand_changes(effect: pd.DataFrame) -> tuple[DemandChange, ...]:
    """Return the effect on the forecast, from `covariate_effect`, as changes of the demand that is planned for."""
    changed = effect[effect["before"] > 0]
    factor = changed["after"] / changed["before"]
    columns = [changed[name].tolist() for name in _CELL]
    return tuple(
        DemandChange(f, part, None, region, week.date())
        for f, part, region, week in zip(factor.tolist(), *columns, strict=True)
        if abs(f - 1) > SMALLEST_CHANGE
    )


def _mean(settings: Settings, lake: Lake, week: date, data: ModelData) -> pd.Series:
    """Combine the models that MLflow keeps of a week: mean in units by part_id, region and target_week.

    A model in whose place SARIMAX was used is left out, as it was not logged.

    Raises
    ------
    LoggedModelError
        If MLflow lacks a model, or has one of an earlier version.
    """
    forecasts = {}
    for model in find_models(settings.forecasting.models):
        table = model_table(model.name)
        with week_model_files(settings.tracking_uri, settings.artifacts_uri, table.name, week) as folder:
            if folder is not None:
                try:
                    fitted = model.load(folder / MODEL_FOLDER)
                except (OSError, KeyError, ValueError) as error:
                    problem = "was logged by an earlier version: materialize it again"
                    raise LoggedModelError(table.name, week, problem) from error
                forecasts[model.name] = model.predict(fitted, data, [week], model_context(settings))
            elif not _is_fallback(lake, week, table):
                raise LoggedModelError(table.name, week, "is not in MLflow: materialize it again")
    if not forecasts:
        problem = "was replaced by SARIMAX, as there is too little history, and so knows no covariates"
        raise LoggedModelError(table.name, week, problem)
    report = lake.read_pandas(BACKTEST_REPORT, [week])
    combined = combine(forecasts, data.features[[*SERIES, "segment"]], report)
    mean: pd.Series = combined.set_index(_CELL)["mean"]
    return mean


def _is_fallback(lake: Lake, week: date, table: Table) -> bool:
    """Whether SARIMAX was used for the forecasts of a week in `table`, in the place of its model."""
    if "method" not in table.names:
        return False
    return bool((lake.read_pandas(table, [week], ["method"])["method"] == "sarimax").all())
