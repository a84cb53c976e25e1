"""The long tables of measures (backtest_report, business_impact) in the wide form that reports read."""

from collections.abc import Sequence

import pandas as pd

MODELS = ["combined", "xgb", "sarimax", "seasonal_naive"]
SEGMENTS = ["all", "smooth", "erratic", "intermittent", "lumpy", "new"]
POLICIES = ["plan", "status_quo", "perfect_foresight"]

#: Measures that are averaged over weeks; the others (units, hours, costs) add up.
AVERAGED = ("on_time_rate", "fill_rate", "utilisation", "stock_units")


class ReportInputError(ValueError):
    """A table given to a report lacks what the report needs."""


def require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise ReportInputError if `table` lacks one of `columns`."""
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ReportInputError(
            f"{name} has no column {', '.join(missing)}: it has {', '.join(map(str, table.columns))}"
        )


def in_reading_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sorted by its index of model, segment and horizon in the order a reader expects."""

    def rank(level: pd.Index) -> pd.Index:
        known = {"model": MODELS, "segment": SEGMENTS}.get(str(level.name))
        if known is None:
            return level
        return pd.Index([f"{known.index(v):02d}" if v in known else f"~{v}" for v in level])

    return frame.sort_index(key=rank)


def scores(report: pd.DataFrame) -> pd.DataFrame:
    """One week's BACKTEST_REPORT with a column for each metric.

    Indexed by (model, segment, horizon), models and segments in reading order. The added column `skill` is
    1 - WAPE / WAPE of seasonal naive on the same segment and horizon (0.1 is 10 % better), NaN for seasonal
    naive itself. Metrics that the report does not hold are no columns, but `wape` and `skill` always are.
    Raises ReportInputError if a column is missing or the report holds more than one origin week.
    """
    keys = ["model", "segment", "horizon"]
    require(report, [*keys, "metric", "value"], "backtest_report")
    if report.duplicated([*keys, "metric"]).any():
        raise ReportInputError("backtest_report holds a measure twice: give the rows of one origin_week")
    wide = report.pivot(index=keys, columns="metric", values="value").rename_axis(columns=None)
    wide["wape"] = wide["wape"] if "wape" in wide else float("nan")
    naive = wide.loc[wide.index.get_level_values("model") == "seasonal_naive", "wape"].droplevel("model")
    base = naive[naive > 0].reindex(wide.index.droplevel("model")).to_numpy()
    wide["skill"] = 1 - wide["wape"] / base
    wide.loc[wide.index.get_level_values("model") == "seasonal_naive", "skill"] = float("nan")
    return in_reading_order(wide)


def policy_totals(impact: pd.DataFrame, policies: Sequence[str] = POLICIES) -> pd.DataFrame:
    """BUSINESS_IMPACT by policy: units, hours and costs added up over weeks, shares and stock averaged by demand.

    Indexed by policy in the order asked for, a column for each metric and `weeks`, how many weeks it covers.
    Counts only weeks in which every policy present has a cost, so that the totals compare like with like.
    """
    require(impact, ["week", "policy", "metric", "value"], "business_impact")
    wide = (
        impact[impact["policy"].isin(policies)]
        .pivot_table(index=["week", "policy"], columns="metric", values="value", aggfunc="first")
        .rename_axis(columns=None)
    )
    if "cost" not in wide:
        return pd.DataFrame(columns=["weeks", "cost"], index=pd.Index([], name="policy"), dtype=float)
    wide = wide[wide["cost"].notna()]
    present = wide.index.unique("policy")
    complete = wide.groupby("week")["cost"].transform("size") == len(present)
    wide = wide[complete]
    by_policy = wide.groupby("policy")
    totals = by_policy.sum(min_count=1)
    weight = wide["demand_units"] if "demand_units" in wide else pd.Series(1.0, wide.index)
    for mean in AVERAGED:
        if mean in wide:
            known = weight.where(wide[mean].notna())
            totals[mean] = (wide[mean] * known).groupby("policy").sum() / known.groupby("policy").sum()
    totals["weeks"] = by_policy.size()
    return totals.reindex([p for p in policies if p in totals.index])


def distance_closed(totals: pd.DataFrame) -> float:
    """How much of the cost between status quo and perfect foresight the plan saves: 1 is all, NaN if unknown."""
    if not set(POLICIES) <= set(totals.index):
        return float("nan")
    plan, status_quo, foresight = totals.loc[POLICIES, "cost"].astype(float).tolist()
    return (status_quo - plan) / (status_quo - foresight) if status_quo > foresight else float("nan")


def cost_by_accuracy(impact: pd.DataFrame) -> pd.DataFrame:
    """WAPE of the noisy forecasts by category and region (column wape) and their cost a week, by policy."""
    names = impact["policy"].drop_duplicates()
    noisy = names[names.str.fullmatch(r"plan_noise_\d+|plan_bias_\+?00")].tolist()
    totals = policy_totals(impact, noisy)
    if "absolute_error" not in totals:
        return pd.DataFrame(columns=["wape", "cost"], dtype=float)
    demand = totals["demand_units"].where(totals["demand_units"] > 0)
    wape = totals["absolute_error"] / demand
    return pd.DataFrame({"wape": wape, "cost": totals["cost"] / totals["weeks"]}).dropna().sort_values("wape")


def worth_of_a_point(by_accuracy: pd.DataFrame) -> float:
    """What one percentage point of WAPE is worth a week: the least-squares slope; NaN for fewer than two."""
    wape, cost = by_accuracy["wape"] * 100, by_accuracy["cost"]
    spread = wape - wape.mean()
    return float((spread * cost).sum() / (spread**2).sum()) if spread.abs().sum() > 0 else float("nan")


def full_weeks(capacity_load: pd.DataFrame) -> pd.Series:
    """Weeks in which each manufacturer has no regular hour left, of those in which it had any."""
    load, capacity = capacity_load["load_hours"], capacity_load["capacity_hours"]
    full = (capacity > 0) & (load >= capacity * (1 - 1e-6))
    return full.groupby(capacity_load["manufacturer_id"]).sum()
