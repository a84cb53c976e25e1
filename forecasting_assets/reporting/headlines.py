"""The most important numbers for a planner, each with a short caption."""

from dataclasses import dataclass

import pandas as pd

from forecasting_assets.reporting.formats import compared, number, percent, signed
from forecasting_assets.reporting.measures import (
    cost_by_accuracy,
    full_weeks,
    gap_closed,
    policy_totals,
    require,
    scores,
    value_of_a_point,
)
from forecasting_assets.reporting.plan_tables import PlanTables
from forecasting_assets.reporting.style import label
from forecasting_assets.wording import count


@dataclass(frozen=True)
class Headline:
    """A number and its caption."""

    value: str
    caption: str


def backtest_headlines(report: pd.DataFrame) -> list[Headline]:
    """Return error, coverage, bias and size of the backtest.

    They describe the combined forecast, or the best model if there is none.
    """
    wide = scores(report)
    level = wide.index.get_level_values
    overall = wide[(level("segment") == "all") & (level("horizon") == 0) & wide["wape"].notna()]
    if overall.empty:
        return [Headline("No backtest yet", "no week with a forecast has closed")]
    model, row = label(overall.index[0][0]), overall.iloc[0]
    than = f": {compared(row['skill'], than='seasonal naive')}" if pd.notna(row["skill"]) else ""
    headlines = [Headline(f"WAPE {percent(row['wape'])}", f"{model} forecast{than}")]
    for coverage, name in (("coverage_80", "80 %"), ("coverage_90", "90 %")):
        if coverage in row:
            headlines.append(Headline(percent(row[coverage]), f"of weeks fell inside the {name} interval"))
    if "bias" in row and pd.notna(row["bias"]):
        direction = "above" if row["bias"] > 0 else "below"
        headlines.append(
            Headline(percent(abs(row["bias"])), f"{direction} actual orders: bias of the forecast")
        )
    if "n" in row:
        headlines.append(Headline(number(row["n"]), "forecasts compared with actual orders"))
    return headlines


def plan_headlines(tables: PlanTables) -> list[Headline]:
    """Return units planned and short, full manufacturers, cost, and how earlier plans performed."""
    require(tables.plan, ["quantity"], "allocation_plan")
    require(tables.shortages, ["quantity"], "plan_shortages")
    headlines = [_coverage(tables.plan["quantity"].sum(), tables.shortages["quantity"].sum())]
    load = tables.capacity_load
    if manufacturers := load["manufacturer_id"].nunique():
        full = int((full_weeks(load) > 0).sum())
        overtime = number(load["overtime_hours"].sum())
        headlines.append(
            Headline(f"{number(full)} of {number(manufacturers)}", "manufacturers full in at least one week")
        )
        headlines.append(Headline(f"{overtime} h", "of overtime"))
    if "total" in tables.costs:
        headlines.append(
            Headline(number(tables.costs["total"]), "cost of the plan, expected penalties included")
        )
    return headlines + _performance(tables.impact)


def _coverage(planned: float, short: float) -> Headline:
    if planned + short > 0:
        return Headline(
            percent(planned / (planned + short)),
            f"of {count(planned + short, 'unit')} assigned to a manufacturer, {number(short)} not assigned",
        )
    return Headline("No plan yet", "there was no demand to plan for")


def _performance(impact: pd.DataFrame) -> list[Headline]:
    totals = policy_totals(impact)
    by_policy = totals.to_dict("index")
    if "plan" not in by_policy:
        return []
    headlines = []
    plan = by_policy["plan"]
    period = f"over {count(plan['weeks'], 'evaluated week')}"
    if pd.notna(plan.get("on_time_rate")):
        headlines.append(Headline(percent(plan["on_time_rate"]), f"of units on time under the plan {period}"))
    if by_policy.get("status_quo", {}).get("cost", 0) > 0:
        change = plan["cost"] / by_policy["status_quo"]["cost"] - 1
        headlines.append(
            Headline(f"{signed(100 * change, 1)} %", f"cost of the plan against the status quo {period}")
        )
    closed = gap_closed(totals)
    if pd.notna(closed):
        headlines.append(
            Headline(
                percent(closed, 0), f"of the cost gap from status quo to perfect foresight closed {period}"
            )
        )
    value = value_of_a_point(cost_by_accuracy(impact))
    if pd.notna(value):
        headlines.append(Headline(number(value), "saved per week by each percentage point of WAPE"))
    return headlines
