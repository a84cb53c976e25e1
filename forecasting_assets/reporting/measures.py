"""Measures of the long tables backtest_report and business_impact, in the wide form that reports need."""

from collections.abc import Iterable, Sequence

import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.value_added import OVERRIDE, STEPS

#: Forecasts that come first and last in every list; the models stand between them.
FIRST_MODEL, LAST_MODEL = "combined", "seasonal_naive"
POLICIES = ["plan", "status_quo", "perfect_foresight"]

#: Metrics that are averaged over weeks; all others (units, hours, costs) are summed, but for overdue_units.
AVERAGED = ("on_time_rate", "fill_rate", "utilisation", "stock_units")


class ReportInputError(PicklableError, ValueError):
    """A table lacks columns that a report needs, or holds more than one week.

    Attributes
    ----------
    table
        Name of the table.
    columns
        Missing columns.
    """

    def __init__(self, message: str, table: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.table = table
        self.columns = tuple(columns)


def require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Check that a table has the columns that a report needs.

    Raises
    ------
    ReportInputError
        If one is missing.
    """
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ReportInputError(
            f"{name} has no column {', '.join(missing)}: it has {', '.join(map(str, table.columns))}",
            name,
            missing,
        )


def ordered_models(names: Iterable[str]) -> list[str]:
    """Return the distinct names of forecasts in reading order: the combined forecast, the models, the naive one."""
    return sorted(set(names), key=_model_rank)


def _model_rank(name: str) -> tuple[int, str]:
    return {FIRST_MODEL: 0, LAST_MODEL: 2}.get(name, 1), name


def in_reading_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort a table by its index of model, segment and horizon in the order that a reader expects."""

    def rank(level: pd.Index) -> pd.Index:
        known = {"model": ordered_models(map(str, level)), "segment": SEGMENTS}.get(str(level.name))
        if known is None:
            return level
        return pd.Index([f"{known.index(v):02d}" if v in known else f"~{v}" for v in level])

    return frame.sort_index(key=rank)


def scores(report: pd.DataFrame) -> pd.DataFrame:
    """Pivot one week's BACKTEST_REPORT to a column for each metric, without the rows about overrides.

    Returns
    -------
    DataFrame
        Indexed by (model, segment, horizon), models and segments in reading order. Besides the metrics of the
        report it always has `wape` and `skill`: 1 - WAPE / WAPE of seasonal naive on the same segment and horizon
        (0.1 is 10 % better), NaN for seasonal naive itself, and where it was judged on other forecasts, as for a model
        that has begun later.

    Raises
    ------
    ReportInputError
        If a column is missing or the report holds more than one origin week.
    """
    keys = ["model", "segment", "horizon"]
    require(report, [*keys, "metric", "value"], "backtest_report")
    if report.duplicated([*keys, "metric"]).any():
        raise ReportInputError(
            "backtest_report has duplicate metrics: pass the rows of one origin_week", "backtest_report"
        )
    # Overrides have other metrics and no segments, the steps of the combination have a table of their own.
    report = report[~report["model"].isin([OVERRIDE, *STEPS])]
    wide = report.pivot(index=keys, columns="metric", values="value").rename_axis(columns=None)
    wide["wape"] = wide["wape"] if "wape" in wide else float("nan")
    is_naive = wide.index.get_level_values("model") == LAST_MODEL
    naive = wide[is_naive].droplevel("model").reindex(wide.index.droplevel("model")).set_axis(wide.index)
    comparable = (naive["wape"] > 0) & ~is_naive
    if "n" in wide:
        comparable &= wide["n"] == naive["n"]
    wide["skill"] = (1 - wide["wape"] / naive["wape"]).where(comparable)
    return in_reading_order(wide)


def step_scores(report: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy after each step of the forecast of all series, in the order of the steps.

    Returns
    -------
    DataFrame
        A row for each forecast in `step`: seasonal naive, the models, STEPS and combined; `wape`, `scaled_pinball`,
        `coverage_80`, NaN where it is not known.
    """
    rows = report[(report["segment"] == "all") & (report["horizon"] == 0)]
    wide = rows.pivot(index="model", columns="metric", values="value")
    wide = wide.reindex(columns=["wape", "scaled_pinball", "coverage_80"]).dropna(subset="wape")
    models = [name for name in wide.index if name not in (FIRST_MODEL, LAST_MODEL, OVERRIDE, *STEPS)]
    steps = [name for name in [LAST_MODEL, *sorted(models), *STEPS, FIRST_MODEL] if name in wide.index]
    return wide.reindex(steps).rename_axis("step").reset_index()


def policy_totals(impact: pd.DataFrame, policies: Sequence[str] = POLICIES) -> pd.DataFrame:
    """Aggregate BUSINESS_IMPACT over weeks.

    Only weeks in which every policy present has a cost count, so that totals compare like with like.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT of any weeks.
    policies
        Policies to include.

    Returns
    -------
    DataFrame
        A row for each policy in the given order and a column for each metric: units, hours and costs are summed,
        shares and stock averaged with demand as weight. overdue_units are those at the end of the last week. Both
        metrics of overdue units are NaN if a week has none, as weeks made by earlier versions. `weeks` is the number
        of weeks covered.
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
    if {"overdue_units", "overdue_change_units"} <= set(wide):
        totals["overdue_units"] = by_policy["overdue_units"].last()
        overdue = ["overdue_units", "overdue_change_units"]
        known = wide[overdue].notna().all(axis=1).groupby("policy").all()
        totals.loc[~known, overdue] = float("nan")
    totals["weeks"] = by_policy.size()
    return totals.reindex([p for p in policies if p in totals.index])


def gap_closed(totals: pd.DataFrame) -> float:
    """Return the share of the cost gap from status quo to perfect foresight that the plan closes; NaN if unknown."""
    if not set(POLICIES) <= set(totals.index):
        return float("nan")
    plan, status_quo, foresight = totals.loc[POLICIES, "cost"].astype(float).tolist()
    return (status_quo - plan) / (status_quo - foresight) if status_quo > foresight else float("nan")


def bound_closed(impact: pd.DataFrame) -> float:
    """Return the share of the cost gap from status quo to the bound of all policies that the plan closes.

    Returns
    -------
    float
        NaN if unknown. Even perfect foresight of the next weeks closes less than all of it.
    """
    totals = policy_totals(impact, ["plan", "status_quo", "lower_bound"])
    if len(totals) < 3:
        return float("nan")
    plan, status_quo, bound = totals["cost"].astype(float).tolist()
    return (status_quo - plan) / (status_quo - bound) if status_quo > bound else float("nan")


def gap_by_source(impact: pd.DataFrame) -> pd.Series:
    """Split the cost gap from status quo to plan into what the forecast and what the planner contribute.

    The forecast saves the more the better it is planned with, so each contribution is the mean over both orders in
    which the status quo can be improved: first the forecast, or first the planner (Shapley value of two players).

    Parameters
    ----------
    impact
        BUSINESS_IMPACT with the policies plan, status_quo, naive_optimal and forecast_greedy.

    Returns
    -------
    Series
        Cost saved by `forecast` and by `planner`; they add up to the gap. Empty if a policy is missing.
    """
    totals = policy_totals(impact, ["plan", "status_quo", "naive_optimal", "forecast_greedy"])
    if len(totals) < 4:
        return pd.Series(dtype=float)
    cost = totals["cost"].astype(float)
    forecast_first, forecast_last = (
        cost["status_quo"] - cost["forecast_greedy"],
        cost["naive_optimal"] - cost["plan"],
    )
    forecast = (forecast_first + forecast_last) / 2
    return pd.Series({"forecast": forecast, "planner": cost["status_quo"] - cost["plan"] - forecast})


def cheaper_biases(impact: pd.DataFrame) -> dict[int, float]:
    """Return the biases, in percent, that would have cost less than the forecast itself, with the share they save."""
    names = impact["policy"].drop_duplicates()
    bias = names.str.extract(r"^plan_bias_([+-]?\d+)$")[0].set_axis(names).dropna().astype(int)
    totals = policy_totals(impact, list(bias.index))
    if "plan_bias_+00" not in totals.index:
        return {}
    cost = totals["cost"].astype(float)
    saved = (1 - cost / float(cost["plan_bias_+00"])).to_dict()
    return {int(bias[str(name)]): share for name, share in saved.items() if share > 0}


def cost_by_accuracy(impact: pd.DataFrame) -> pd.DataFrame:
    """Relate the error of noisy forecasts to the cost of their plans.

    Returns
    -------
    DataFrame
        A row for each policy `plan_noise_NN`, and the plan without noise, sorted by `wape` (over categories and
        regions); `cost` is the cost per week.
    """
    names = impact["policy"].drop_duplicates()
    noisy = names[names.str.fullmatch(r"plan_noise_\d+|plan_bias_\+?00")].tolist()
    totals = policy_totals(impact, noisy)
    if "absolute_error" not in totals:
        return pd.DataFrame(columns=["wape", "cost"], dtype=float)
    demand = totals["demand_units"].where(totals["demand_units"] > 0)
    wape = totals["absolute_error"] / demand
    return pd.DataFrame({"wape": wape, "cost": totals["cost"] / totals["weeks"]}).dropna().sort_values("wape")


def value_of_a_point(by_accuracy: pd.DataFrame) -> float:
    """Estimate what one percentage point of WAPE costs per week.

    Parameters
    ----------
    by_accuracy
        Result of `cost_by_accuracy`.

    Returns
    -------
    float
        Least-squares slope of cost over WAPE; NaN for fewer than two different errors.
    """
    wape, cost = by_accuracy["wape"] * 100, by_accuracy["cost"]
    deviation = wape - wape.mean()
    if deviation.abs().sum() == 0:
        return float("nan")
    return float((deviation * cost).sum() / (deviation**2).sum())


def within_horizon(capacity_load: pd.DataFrame) -> pd.DataFrame:
    """Return CAPACITY_LOAD without the weeks after the last due week, whose free hours mean nothing."""
    return capacity_load[capacity_load["beyond_horizon"] == 0]


#: Share of the regular hours from which a week is full: what is left is less than one whole unit takes.
FULL = 0.995


def full_weeks(capacity_load: pd.DataFrame) -> pd.Series:
    """Count the weeks in which each manufacturer uses all of its regular hours (`FULL`), if it has any."""
    load, capacity = capacity_load["load_hours"], capacity_load["capacity_hours"]
    full = (capacity > 0) & (load >= capacity * FULL)
    return full.groupby(capacity_load["manufacturer_id"]).sum()
