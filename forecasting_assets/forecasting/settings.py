"""What can be set about the forecasts; the defaults are measured, see the descriptions."""

from pydantic import BaseModel, ConfigDict, Field


class ForecastingSettings(BaseModel):
    """Settings of the forecasting core. A forecast of week W depends on no week before its windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_weeks: int = Field(
        156, ge=78, description="Weeks of demand a SARIMAX fit and the error scales of a series may use"
    )
    sarimax_refit_weeks: int = Field(13, ge=1, le=26, description="Weeks between two SARIMAX fits")
    sarimax_min_weeks: int = Field(
        26, ge=8, description="Weeks since its first order below which a series is smoothed, not fitted"
    )
    sarimax_max_interval: float = Field(
        1.32,
        ge=1,
        description="Mean weeks between weeks with orders above which a series is smoothed, not fitted",
    )
    fourier_pairs: int = Field(6, ge=0, le=13, description="Sine and cosine pairs of the yearly season")
    xgb_refit_weeks: int = Field(4, ge=1, le=26, description="Weeks between two XGBoost fits")
    xgb_train_weeks: int = Field(
        104, ge=8, description="Origins before a fit that XGBoost learns from, in weeks"
    )
    xgb_min_rows: int = Field(
        500, ge=1, description="Training rows below which XGBoost is not fitted and series are smoothed"
    )
    xgb_max_rows: int = Field(
        100_000, ge=1, description="Training rows of the mean model; more are sampled by a hash of their keys"
    )
    backtest_weeks: int = Field(
        26, ge=1, description="Origins before a week that its backtest report and combination weights look at"
    )
    weight_prior_cells: float = Field(
        500.0,
        ge=0,
        description="Forecast cells at which a combination weight is half way from equal to its own",
    )
    seed: int = Field(0, ge=0, description="Seed of XGBoost")
