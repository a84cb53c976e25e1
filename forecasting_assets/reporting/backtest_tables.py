"""Tables of the report on forecast accuracy."""

import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.value_added import OVERRIDE
from forecasting_assets.reporting.formats import number, percent
from forecasting_assets.reporting.measures import (
    FIRST_MODEL,
    LAST_MODEL,
    in_reading_order,
    ordered_models,
    scores,
    step_scores,
)
from forecasting_assets.reporting.style import label
from forecasting_assets.reporting.texttable import TextTable, table, text
from forecasting_assets.wording import count


def metrics_by_segment(report: pd.DataFrame) -> TextTable:
    """Tabulate all metrics by demand pattern and model, all horizons together."""
    wide = scores(report)
    rows = wide[wide.index.get_level_values("horizon") == 0].reorder_levels(["segment", "model", "horizon"])
    rows = in_reading_order(rows)
    return table(
        "Error by demand pattern and model",
        rows.reset_index(),
        {
            "segment": ("Demand pattern", label),
            "model": ("Model", label),
            "wape": ("WAPE", percent),
            "skill": ("Better than naive", percent),
            "rmsse": ("RMSSE", lambda v: number(v, 2)),
            "mase": ("MASE", lambda v: number(v, 2)),
            "rmse": ("RMSE, units", lambda v: number(v, 1)),
            "mape": ("MAPE", percent),
            "mape_left_out": ("Excluded from MAPE", percent),
            "pinball": ("Pinball, units", lambda v: number(v, 2)),
            "coverage_80": ("In 80 % interval", percent),
            "coverage_90": ("In 90 % interval", percent),
            "bias": ("Bias", percent),
            "n": ("Forecasts", number),
        },
        "All horizons together. RMSSE and MASE are relative to the past error of a naive forecast one week ahead:"
        " below 1 is better. MAPE excludes weeks without orders.",
    )


def value_added(report: pd.DataFrame) -> TextTable:
    """Tabulate forecast value added: what each model adds to the seasonal naive forecast, and what combining adds.

    References
    ----------
    M. Gilliland, "The Business Forecasting Deal", Wiley, 2010.
    """
    wide = scores(report)
    overall = wide[wide.index.get_level_values("horizon") == 0].droplevel("horizon")
    wape, skill = (overall[name].astype(float).unstack("model") for name in ("wape", "skill"))
    naive = wape.reindex(columns=[LAST_MODEL])[LAST_MODEL].dropna()
    change = -skill
    models = ordered_models([FIRST_MODEL, *change.columns, LAST_MODEL])[1:-1]
    change = change.reindex(index=[s for s in SEGMENTS if s in naive.index], columns=[FIRST_MODEL, *models])
    change = change.rename_axis("segment")
    change["all_steps"] = change[FIRST_MODEL]
    change[FIRST_MODEL] = (1 + change["all_steps"]) / (1 + change[models].min(axis=1)) - 1
    change[LAST_MODEL] = naive
    return table(
        "Forecast value added",
        change.reset_index(),
        {
            "segment": ("Demand pattern", label),
            LAST_MODEL: ("WAPE of seasonal naive", percent),
            **{name: (label(name), percent) for name in models},
            FIRST_MODEL: ("Combined instead of the best", percent),
            "all_steps": ("Combined", percent),
        },
        "Change in WAPE: of each model and of their combination compared with seasonal naive, and of the combination "
        "compared with the best model. Below zero is an improvement. A model that has begun later, and so was judged "
        "on fewer forecasts, is not compared.",
    )


def value_of_steps(report: pd.DataFrame) -> TextTable:
    """Tabulate the accuracy after each step of the forecast, all series and horizons together."""
    return table(
        "Step by step",
        step_scores(report),
        {
            "step": ("Forecast", label),
            "wape": ("WAPE", percent),
            "scaled_pinball": ("Pinball, of naive error", percent),
            "coverage_80": ("In 80 % interval", percent),
        },
        "From seasonal naive to the combined forecast, which is the weighted average, reconciled with the forecasts of"
        " whole categories and regions, with calibrated intervals. What known prices and promotions add is the"
        " difference between the weighted averages without and with them. Lower WAPE and pinball are better; about"
        " 80 % of weeks should lie in the interval. A model that has begun later was judged on other weeks.",
    )


def value_of_overrides(report: pd.DataFrame) -> TextTable:
    """Tabulate by author and reason how much error planners' overrides removed or added."""
    rows = report[report["model"] == OVERRIDE]
    wide = rows.pivot(index="segment", columns="metric", values="value")
    wide = wide.reindex(columns=["touched_rows", "value_added"]).reset_index()
    return table(
        "Value added by overrides",
        wide.sort_values("value_added", ascending=False),
        {
            "segment": ("Author and reason", text),
            "touched_rows": ("Rows changed", number),
            "value_added": ("Error removed, units", lambda v: number(v, 1)),
        },
        "Absolute error of the combined forecast minus that after overrides, in weeks that have closed: above zero the"
        " override was better than the forecast. Each override is judged by the total of the rows that it changed in"
        " a week.",
    )


def by_horizon(report: pd.DataFrame) -> TextTable:
    """Tabulate WAPE by horizon and model over all series."""
    wide = scores(report)
    level = wide.index.get_level_values
    rows = wide[(level("segment") == "all") & (level("horizon") > 0)].droplevel("segment")["wape"]
    models = {m: (label(m), percent) for m in rows.index.unique("model")}
    return table(
        "WAPE by horizon",
        rows.unstack("model").reset_index(),
        {"horizon": ("Weeks ahead", text), **models},
        "All series. Lower is better.",
    )


def weights(report: pd.DataFrame) -> TextTable:
    """Tabulate the weights of the models in the combined forecast."""
    wide = scores(report[report["horizon"] > 0])
    rows = wide["weight"].dropna() if "weight" in wide else pd.Series(dtype=float)
    if rows.empty:
        return table("Weights of the combined forecast", pd.DataFrame(), {})
    frame = in_reading_order(rows.unstack("horizon").reorder_levels(["segment", "model"]))
    columns = {h: (count(float(h), "week"), lambda v: percent(v, 0)) for h in frame.columns}
    return table(
        "Weights of the combined forecast",
        frame.reset_index(),
        {"segment": ("Demand pattern", label), "model": ("Model", label), **columns},
        "By weeks ahead. Models about as good as the best one have equal weights, others smaller ones.",
    )
