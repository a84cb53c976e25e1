"""Forecasts and the report on their errors."""

from forecasting_assets.tables.schema import Column, Table
from forecasting_assets.tables.shared import CATEGORY, MARKET, PART, QUANTILES, REGION, SERIES, amount

#: Of the forecasts of a model, to judge what known covariates add.
WITHOUT_COVARIATES = Column(
    "without_covariates",
    "double",
    "Median that the model would forecast without known covariates; empty where it uses none",
    nullable=True,
    minimum=0,
)


_FORECAST_COLUMNS = (
    Column("origin_week", "date", "Week at whose end the forecast was made"),
    Column("target_week", "date", "Week forecast"),
    Column("horizon", "long", "Weeks from origin to target", minimum=1),
    amount("mean", "Expected demand in units"),
    *(amount(q, f"{p:.0%} quantile of demand in units") for q, p in QUANTILES.items()),
)


def _forecast(name: str, *more: Column) -> Table:
    return Table(name, (PART, REGION, *_FORECAST_COLUMNS, *more), key=(*SERIES, "horizon"))


SARIMAX_MODEL = _forecast("sarimax_model", WITHOUT_COVARIATES)
MARKET_FORECAST = Table(
    "market_forecast",
    (
        CATEGORY,
        REGION,
        *_FORECAST_COLUMNS,
        Column(
            "series",
            "long",
            "Number of active parts of the category in the region; the forecast is of their demand",
            minimum=0,
        ),
    ),
    key=(*MARKET, "horizon"),
)
CLEANED_POINTS = Table(
    "cleaned_points",
    (
        PART,
        REGION,
        Column("demand_week", "date", "Week whose demand the models leave out"),
        amount("quantity", "Units ordered in that week"),
        amount("usual", "Mean weekly units of the series without weeks that are left out"),
        Column(
            "reason",
            "string",
            "outlier: far beyond the usual size; interruption: no orders for a while of a series that is ordered "
            "nearly every week; excluded: by a planning file",
            values=("outlier", "interruption", "excluded"),
        ),
    ),
    key=("part_id", "region", "demand_week"),
)


def model_table(model: str) -> Table:
    """Return the table of the forecasts of a model, by its name."""
    if model == "sarimax":
        return SARIMAX_MODEL
    method = Column(
        "method",
        "string",
        "Model used: sarimax where there is too little history to train this one",
        values=(model, "sarimax"),
    )
    return _forecast(f"{model}_model", WITHOUT_COVARIATES, method)


XGB_MODEL = model_table("xgb")
DEMAND_FORECAST = _forecast("demand_forecast")
BACKTEST_REPORT = Table(
    "backtest_report",
    (
        Column("origin_week", "date", "Week at whose end the report was made"),
        Column(
            "model",
            "string",
            "Name of a model, combined, seasonal_naive or override (the combined forecast after it); the steps towards "
            "combined are plain_average, without_covariates, weighted_average and reconciled (with market_forecast, "
            "before its intervals are calibrated)",
        ),
        Column(
            "segment",
            "string",
            "Demand pattern: smooth, erratic, intermittent, lumpy, new or all; of overrides their author and reason",
        ),
        Column("horizon", "long", "Weeks ahead; 0 is all horizons together", minimum=0),
        Column(
            "metric",
            "string",
            "Metric; mape_left_out is the share of weeks without demand, which mape excludes; width is the factor by "
            "which intervals of the combined forecast are widened; value_added is the absolute error in units that "
            "overrides removed from the weekly totals of the rows they touched (touched_rows); below_q05 and "
            "at_most_q05 are the shares of weeks with demand below and at or below the quantile q05",
            values=(
                "rmse",
                "mape",
                "mape_left_out",
                "wape",
                "mase",
                "rmsse",
                "pinball",
                "scaled_pinball",
                "coverage_80",
                "coverage_90",
                "bias",
                "weight",
                "width",
                "n",
                "value_added",
                "touched_rows",
                "part_correlation",
                "week_correlation",
                *(f"{kind}_{q}" for kind in ("below", "at_most") for q in QUANTILES),
            ),
        ),
        Column("value", "double", "Value of the metric", nullable=True),
    ),
    key=("model", "segment", "horizon", "metric"),
)
FORECAST_ERRORS = Table(
    "forecast_errors",
    (
        Column("origin_week", "date", "Week at whose end the forecast was made"),
        Column(
            "grouping",
            "string",
            "What the group has in common",
            values=("total", "part_category", "region", "value_class"),
        ),
        Column("name", "string", "Category, region or value class (A, B or C); empty for the total"),
        Column("model", "string", "Name of a model, combined or seasonal_naive"),
        Column("horizon", "long", "Weeks from origin to target", minimum=1),
        Column("cells", "long", "Series compared", minimum=1),
        amount("forecast", "Units forecast: mean"),
        amount("actual", "Units ordered"),
        amount("absolute_error", "Absolute errors of the median of each series, added up, in units"),
    ),
    key=("origin_week", "grouping", "name", "model", "horizon"),
)
PART_ERRORS = Table(
    "part_errors",
    (
        PART,
        REGION,
        Column("part_category", "string", "Category of the part at the latest origin", nullable=True),
        Column(
            "value_class",
            "string",
            "A: the series with the first 80 % of the value of demand, B: the next 15 %, C: the rest",
            nullable=True,
            values=("A", "B", "C"),
        ),
        Column("cells", "long", "Forecasts of this series compared with actual orders", minimum=1),
        amount("forecast", "Units forecast by the combined forecast: mean"),
        amount("actual", "Units ordered"),
        amount("absolute_error", "Absolute errors of the median, in units"),
        amount("error_value", "Absolute errors of the median, each valued at the price known at its origin"),
        Column("inside_80", "long", "Forecasts whose 80 % interval held the demand", minimum=0),
        Column(
            "tracking_signal",
            "double",
            "Sum of the errors one week ahead over their mean size; negative where forecasts are too low",
        ),
    ),
    key=("part_id", "region"),
)
ERROR_CORRELATIONS = Table(
    "error_correlations",
    (
        Column("part_category", "string", "Category of the market; empty in the row of the whole home"),
        Column("region", "string", "Region of the market; empty in the row of the whole home"),
        Column(
            "part_correlation",
            "double",
            "Correlation of the combined forecast's errors of two series in one week",
            minimum=0,
            maximum=1,
        ),
        Column(
            "week_correlation",
            "double",
            "Correlation of the combined forecast's errors of one series in two successive weeks",
            minimum=0,
            maximum=1,
        ),
        Column("origins", "long", "Earlier forecasts that the correlations are learnt from", minimum=0),
    ),
    key=("part_category", "region"),
)
#: Correlations of errors that are assumed before any error is known, as found on two synthetic marketplaces.
ASSUMED_CORRELATIONS = {"part_correlation": 0.03, "week_correlation": 0.2}
