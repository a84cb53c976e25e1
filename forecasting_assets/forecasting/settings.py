"""Settings of the forecasts; the defaults are measured, see the descriptions."""

from pydantic import BaseModel, ConfigDict, Field


class ForecastingSettings(BaseModel):
    """Settings of the forecasting core. Forecasts use only weeks in these windows: older history changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = Field(
        ("sarimax", "xgb"),
        min_length=1,
        description="Models that are trained, judged and averaged: names of built-in models or of entry points of the "
        "group forecasting_assets.models, or 'module:Class'",
    )
    history_weeks: int = Field(
        208, ge=78, description="Weeks of demand before a refit that a forecast may use"
    )
    refit_weeks: int = Field(4, ge=1, le=26, description="Weeks between two fits of the models")
    fit_series: int = Field(
        5000,
        ge=100,
        description="Series that a model is fitted to. If there are more, whole parts are sampled by hash. A larger "
        "sample takes more memory",
    )
    xgb_train_weeks: int = Field(
        104, ge=8, description="Weeks before a fit whose origins XGBoost is trained on"
    )
    xgb_min_rows: int = Field(
        500, ge=1, description="Training rows below which SARIMAX is used instead of XGBoost"
    )
    xgb_max_rows: int = Field(
        200_000,
        ge=1,
        description="Training rows of the mean model. If there are more, they are sampled by a hash of their keys",
    )
    xgb_distributed_rows: int = Field(
        1_000_000,
        ge=1,
        description="Training rows above which several Spark tasks train the mean model together. The number of tasks "
        "is that of the rows divided by this value, but no more than Spark runs at once. fit_series and xgb_max_rows "
        "limit the rows, so raise these first. With another number of tasks forecasts differ slightly",
    )
    backtest_weeks: int = Field(
        26,
        ge=1,
        description="Origins before a week that its backtest report, weights of the models and widths of the intervals "
        "use. Recent ones count most for weights and widths",
    )
    weight_prior_cells: float = Field(
        500.0,
        ge=0,
        description="How fast weights follow losses: the number of judged forecasts, older ones counting less, at "
        "which a model more than 30 % worse than the best one is weighted by 1 / loss. With fewer forecasts weights "
        "are closer to equal, with many they approach 1 / loss²; 0 is 1 / loss² from the start",
    )
    seed: int = Field(0, ge=0, description="Random seed of XGBoost")

    def shared_by_models(self) -> dict[str, int | float]:
        """Return the settings that every model uses."""
        return {name: getattr(self, name) for name in _SHARED}

    def of_xgboost(self) -> dict[str, int | float]:
        """Return the settings that XGBoost uses."""
        own = [name for name in type(self).model_fields if name.startswith("xgb_")]
        return {name: getattr(self, name) for name in (*_SHARED, "seed", *own)}


#: Settings of every model: the data it is fitted to, and how often.
_SHARED = ("history_weeks", "refit_weeks", "fit_series")
