"""Tables of the report on accuracy: the verdict, groups and the parts with the costliest errors."""

from urllib.parse import quote

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.bias import group_bias, tracking_limit
from forecasting_assets.forecasting.checks import check_unbiased
from forecasting_assets.forecasting.comparison import Comparison, compare_losses
from forecasting_assets.reporting.formats import MISSING, Money, number, percent, signed
from forecasting_assets.reporting.measures import ordered_models
from forecasting_assets.reporting.style import label
from forecasting_assets.reporting.texttable import Link, TextTable, table, text
from forecasting_assets.wording import count

#: Groupings in reading order, with the name of their column.
GROUPINGS = {
    "total": "Total",
    "part_category": "By category",
    "region": "By region",
    "value_class": "By value class",
}
WORST_SHOWN = 20


def comparisons(errors: pd.DataFrame) -> dict[str, Comparison]:
    """Compare the combined forecast with each other model, by the WAPE of each origin.

    Parameters
    ----------
    errors
        FORECAST_ERRORS of one week.

    Returns
    -------
    dict
        Model -> its WAPE minus that of the combined forecast (above zero: the combination is better). Only origins
        and horizons that both forecast for the same series count; models with too few origins are missing.
    """
    total = errors[errors["grouping"] == "total"].set_index(["origin_week", "horizon"]).sort_index()
    by_model = dict(iter(total.groupby("model")))
    if "combined" not in by_model:
        return {}
    combined, found = by_model["combined"], {}
    for model in ordered_models(map(str, by_model)):
        if model == "combined":
            continue
        both = combined.join(by_model[model], how="inner", rsuffix="_other")
        both = both[both["cells"] == both["cells_other"]]
        sums = both.groupby("origin_week")[["absolute_error", "absolute_error_other", "actual"]].sum()
        sums = sums[sums["actual"] > 0]
        difference = (sums["absolute_error_other"] - sums["absolute_error"]) / sums["actual"]
        if (comparison := compare_losses(difference.to_numpy(float))) is not None:
            found[model] = comparison
    return found


def verdict(errors: pd.DataFrame) -> str:
    """Say in a sentence whether the combined forecast is better than each model."""
    found = comparisons(errors)
    if not found:
        return "Too few forecasts have been compared with orders to say which model is best."
    parts = []
    for result, words in (
        ("better", "better than"),
        ("worse", "worse than"),
        ("even", "not clearly different from"),
    ):
        models = [
            label(model)
            + ("" if result == "even" else f" by {number(100 * abs(c.difference), 1)} points of WAPE")
            for model, c in found.items()
            if _result(c) == result
        ]
        if models:
            parts.append(f"{words} {' and '.join(models)}")
    return f"The combined forecast is {'; '.join(parts)}."


def bias_in_words(errors: pd.DataFrame) -> str:
    """Say which forecasts of an aggregate were off to one side."""
    return "" if errors.empty else f"Bias: {check_unbiased(errors).description}.".replace("%", " %")


def _result(comparison: Comparison) -> str:
    if comparison.low > 0:
        return "better"
    return "worse" if comparison.high < 0 else "even"


def verdict_table(errors: pd.DataFrame) -> TextTable:
    """Tabulate by how much the combined forecast is better than each model, with what chance can do."""
    rows = [
        {"model": model, "comparison": c, "origins": c.origins, "result": _result(c)}
        for model, c in comparisons(errors).items()
    ]

    def points(value: float) -> str:
        return signed(100 * value, 1)

    results = {"better": "better", "worse": "worse", "even": "no difference beyond chance"}
    frame = pd.DataFrame(rows)
    return table(
        "Combined forecast against each model",
        frame if rows else pd.DataFrame(),
        {
            "model": ("Against", label),
            "result": ("Combined forecast is", results.__getitem__),
            "comparison": (
                "WAPE lower by, points (95 % interval)",
                lambda c: f"{points(c.difference)} ({points(c.low)} to {points(c.high)})",
            ),
            "origins": ("Origins", number),
        },
        "Mean over the origins of the difference in WAPE, all horizons together, in percentage points. The interval"
        " is that of a Diebold-Mariano test for few, overlapping forecasts (Coroneo and Iacone 2020): if it holds"
        " zero, the difference may be chance.",
    )


def origins_in_words(errors: pd.DataFrame) -> str:
    """Name the origins and target weeks that are compared."""
    if errors.empty:
        return ""
    origins = pd.DatetimeIndex(errors["origin_week"].unique()).sort_values()
    horizons = errors["horizon"].max()
    return (
        f"{count(len(origins), 'origin')}, from the end of week {origins[0]:%Y-%m-%d} to the end of week"
        f" {origins[-1]:%Y-%m-%d}, each with the forecasts of up to {count(horizons, 'week')} ahead that have closed"
        " since."
    )


def accuracy_by_group(errors: pd.DataFrame) -> TextTable:
    """Tabulate error and bias of the combined forecast by category, region and value class."""
    if errors.empty:
        return table("By category, region and value class", pd.DataFrame(), {})
    keys = ["grouping", "name"]
    sums = errors.groupby([*keys, "model"])[["absolute_error", "forecast", "actual", "cells"]].sum()
    wape = (sums["absolute_error"] / sums["actual"].where(sums["actual"] > 0)).unstack("model")
    combined = sums.xs("combined", level="model")
    frame = group_bias(errors, tuple(GROUPINGS)).set_index(keys)
    frame = frame.assign(
        wape=wape["combined"],
        naive=wape.get("seasonal_naive", np.nan),
        bias_all=(combined["forecast"] - combined["actual"])
        / combined["actual"].where(combined["actual"] > 0),
        units=combined["actual"],
    )
    frame["limit"] = tracking_limit(frame["origins"].to_numpy(float))
    frame = frame.reset_index()
    frame["group"] = [
        _group(grouping, name) for grouping, name in zip(frame["grouping"], frame["name"], strict=True)
    ]
    frame["sides"] = [f"{b} / {a}" for b, a in zip(frame["below"], frame["above"], strict=True)]
    frame["signal"] = [
        f"{signed(s, 1)}{' !' if abs(s) > limit else ''}"
        for s, limit in zip(frame["tracking_signal"], frame["limit"], strict=True)
    ]
    return table(
        "By category, region and value class",
        frame,
        {
            "group": ("Group", text),
            "units": ("Units ordered", number),
            "wape": ("WAPE", percent),
            "naive": ("WAPE of seasonal naive", percent),
            "bias_all": ("Bias", lambda v: MISSING if pd.isna(v) else f"{signed(100 * v, 1)} %"),
            "sides": ("One week ahead: below / above actual", str),
            "signal": ("Tracking signal", str),
        },
        "Combined forecast. WAPE and bias: all horizons together; each target week counts once for every origin."
        " Tracking signal: sum of the errors of the group's total one week ahead over their mean size; ! marks one"
        " that unbiased forecasts would exceed in 1 of 20 cases. Value class A has the series with the first 80 % of"
        " the value of demand, B the next 15 %, C the rest.",
    )


def _group(grouping: str, name: str) -> str:
    kinds = {"part_category": "Category", "region": "Region", "value_class": "Value class"}
    return f"{kinds[grouping]} {name}" if grouping in kinds else "All series"


def series_link(part: str, region: str) -> Link:
    """Return the link to a series on the page of forecasts."""
    return Link(part, f"forecast.html#{quote(part, safe='')}/{quote(region, safe='')}")


def worst_parts(parts: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate the 20 series whose errors were worth most, each with a link to its forecast.

    Parameters
    ----------
    parts
        PART_ERRORS of one week.
    money
        Format of amounts of money.
    """
    frame = parts.sort_values("error_value", ascending=False, kind="stable").head(WORST_SHOWN)
    share = frame["error_value"].sum() / parts["error_value"].sum() if parts["error_value"].sum() > 0 else 0.0
    links = [
        series_link(part, region) for part, region in zip(frame["part_id"], frame["region"], strict=True)
    ]
    frame = frame.assign(
        link=pd.Series(links, index=frame.index, dtype=object),
        wape=frame["absolute_error"] / frame["actual"].where(frame["actual"] > 0),
        bias=(frame["forecast"] - frame["actual"]) / frame["actual"].where(frame["actual"] > 0),
        inside=frame["inside_80"] / frame["cells"],
    )
    return table(
        "Parts with the costliest errors",
        frame,
        {
            "link": ("Part", lambda link: link),
            "region": ("Region", text),
            "part_category": ("Category", text),
            "error_value": (money.heading("Value of the errors"), number),
            "absolute_error": ("Absolute error, units", number),
            "wape": ("WAPE", percent),
            "bias": ("Bias", lambda v: MISSING if pd.isna(v) else f"{signed(100 * v, 1)} %"),
            "inside": ("In 80 % interval", lambda v: percent(v, 0)),
            "tracking_signal": ("Tracking signal", lambda v: signed(v, 1)),
        },
        f"The {number(len(frame))} series with the largest absolute errors at the price of the part, all horizons and"
        f" origins together: {percent(share, 0)} of the value of all errors.",
    )
