"""Forecast a week again with changed prices, promotions and other covariates, by the models of that week."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation import DemandChange, parse_scope
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.covariate_change import (
    CovariateChange,
    CovariateChangeError,
    changed_rows,
    known_values,
)
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import DEMAND_PLAN, SARIMAX_MODEL, SERIES, XGB_MODEL
from forecasting_assets.tracking.week_model import week_model_files
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.model_cache import load_sarimax, load_xgb
from forecasting_assets.workflows.part_history import part_history

#: A change of the expected demand by less than this share is none.
SMALLEST_CHANGE = 0.0005
_CELL = [*SERIES, "target_week"]
_LOADED: dict[str, Callable[[Path], Any]] = {SARIMAX_MODEL.name: load_sarimax, XGB_MODEL.name: load_xgb}


def covariate_effect(settings: Settings, lake: Lake, week: date, changes: Sequence[str]) -> pd.DataFrame:
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
    DataFrame
        part_id, region, target_week, before and after (units: the average of the means of the models), of the series
        in the scopes.

    Raises
    ------
    CovariateChangeError
        If a change cannot be tried, or no forecast depends on it.
    AllocationError
        If a scope has an unknown or ambiguous name.
    """
    plan = lake.read_pandas(DEMAND_PLAN, [week], [*SERIES, "part_category", "due_week"])
    parsed = [CovariateChange.parse(text) for text in changes]
    scopes = [parse_scope(change.scope, plan) for change in parsed]
    in_scope = np.any([scope.covers(plan) for scope in scopes], axis=0)
    series = plan.loc[in_scope, SERIES].drop_duplicates()
    models = _WeekModels.load(settings, lake, week)
    if not any(model.planned for model in models.models):
        raise CovariateChangeError(
            changes[0], f"no forecast of {week} depends on covariates: they were known too late"
        )
    history, totals = part_history(settings, lake, models.fitted_at, week, series["part_id"].unique())
    first = add_weeks(models.fitted_at, 1 - settings.forecasting.history_weeks)
    panel, horizon = Panel.from_history(history, first, week), settings.calendar.horizon_weeks
    cells = known_values(panel, horizon)[0]
    rows = changed_rows(panel, horizon, [(c, s.covers(cells)) for c, s in zip(parsed, scopes, strict=True)])
    before, after = (models.mean(table, totals) for table in (history, pd.concat([history, rows])))
    effect = before.rename("before").to_frame().assign(after=after).reset_index()
    return effect.merge(series, on=SERIES).sort_values(_CELL, ignore_index=True)


def demand_changes(effect: pd.DataFrame) -> tuple[DemandChange, ...]:
    """Return the result of `covariate_effect` as changes of the demand that is planned for."""
    changed = effect[effect["before"] > 0]
    factor = changed["after"] / changed["before"]
    columns = [changed[name].tolist() for name in _CELL]
    return tuple(
        DemandChange(f, part, None, region, week.date())
        for f, part, region, week in zip(factor.tolist(), *columns, strict=True)
        if abs(f - 1) > SMALLEST_CHANGE
    )


@dataclass(frozen=True)
class _WeekModels:
    """The models of a week, with the rows of feature_table that they forecast from."""

    week: date
    models: Sequence[Any]
    features: pd.DataFrame
    settings: ForecastingSettings

    @classmethod
    def load(cls, settings: Settings, lake: Lake, week: date) -> "_WeekModels":
        """Load the models that MLflow keeps.

        Raises
        ------
        CovariateChangeError
            If MLflow has none.
        """
        models = []
        for name, load in _LOADED.items():
            with week_model_files(settings.tracking_uri, settings.artifacts_uri, name, week) as folder:
                if folder is not None:
                    models.append(load(folder))
        if not models:
            remedy = "materialize sarimax_model and xgb_model first"
            raise CovariateChangeError("", f"MLflow has no models of {week}: {remedy}")
        features = lake.read_pandas(feature_columns(settings.calendar.horizon_weeks), [week])
        return cls(week, models, features, settings.forecasting)

    @property
    def fitted_at(self) -> date:
        """The week that the models were fitted at."""
        fitted_at: date = self.models[0].week
        return fitted_at

    def mean(self, history: pd.DataFrame, totals: GroupTotals) -> pd.Series:
        """Average the means of the models: units by part_id, region and target_week."""
        features = self.features[self.features["part_id"].isin(history["part_id"].unique())]
        means = []
        for model in self.models:
            if isinstance(model, xgb.XgbModel):
                forecast = xgb.predict(model, features, history, totals, self.settings)
            else:
                forecast = sarimax.predict(model, history, totals, [self.week], self.settings)
            means.append(forecast.set_index(_CELL)["mean"])
        average: pd.Series = pd.concat(means, axis=1).mean(axis=1)
        return average
