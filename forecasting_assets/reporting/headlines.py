"""The most important numbers for a planner, each with a short caption."""

from dataclasses import dataclass

import pandas as pd

from forecasting_assets.reporting.formats import Money, compared, number, percent, signed
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
from forecasting_assets.reporting.texttable import day
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


def plan_headlines(
    tables: PlanTables, changes: pd.DataFrame | None, exceptions: int, money: Money
) -> list[Headline]:
    """Return what a planner has to know first: this week, what is not met, what changed, what needs a decision, cost.

    Parameters
    ----------
    tables
        Tables of the plan.
    changes
        What the plan changes in the plan before; None if there was none.
    exceptions
        Number of exceptions.
    money
        How amounts are written.
    """
    require(tables.plan, ["quantity", "production_week"], "allocation_plan")
    require(tables.shortages, ["quantity"], "plan_shortages")
    load = tables.capacity_load
    planned, short = tables.plan["quantity"].sum(), tables.shortages["quantity"].sum()
    if planned + short <= 0:
        return [Headline("No plan yet", "there was no demand to plan for")]
    first = load["production_week"].min()
    now = tables.plan.loc[tables.plan["production_week"] == first, "quantity"].sum()
    full = int((full_weeks(load) > 0).sum())
    headlines = [
        Headline(f"{number(now)} units", f"to order for production in week {day(first)}"),
        _coverage(planned, short),
        Headline(number(exceptions), "exceptions to look at"),
        Headline(
            f"{number(full)} of {number(load['manufacturer_id'].nunique())}",
            "manufacturers full in at least one week",
        ),
        Headline(f"{number(load['overtime_hours'].sum())} h", "of overtime"),
    ]
    if changes is not None:
        changed = changes.loc[changes["reason"] != "horizon", "quantity"].sum()
        headlines.insert(2, Headline(f"{number(changed)} units", "moved, new or dropped since the last plan"))
    if "total" in tables.costs:
        caption = "cost of the plan, expected penalties included"
        headlines.append(Headline(money.amount(tables.costs["total"]), caption))
    return headlines


def _coverage(planned: float, short: float) -> Headline:
    return Headline(
        percent(planned / (planned + short)),
        f"of {count(planned + short, 'unit')} assigned to a manufacturer, {number(short)} not assigned",
    )


def worth_headlines(impact: pd.DataFrame, money: Money) -> list[Headline]:
    """Return how earlier plans performed.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT of any weeks.
    money
        How amounts are written.
    """
    totals = policy_totals(impact)
    by_policy = totals.to_dict("index")
    if "plan" not in by_policy:
        return [Headline("Nothing to compare yet", "no planned week has closed")]
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
        words = f"of the cost gap from status quo to perfect foresight closed {period}"
        if closed > 1:
            words += ": the plan cost less than perfect foresight, see Business impact"
        headlines.append(Headline(percent(closed, 0), words))
    value = value_of_a_point(cost_by_accuracy(impact))
    if pd.notna(value):
        headlines.append(Headline(money.amount(value), "saved per week by each percentage point of WAPE"))
    return headlines
