"""The few numbers a planner wants first, in plain words."""

from dataclasses import dataclass

import pandas as pd

from forecasting_assets.reporting.formats import compared, counted, number, percent
from forecasting_assets.reporting.measures import (
    cost_by_accuracy,
    distance_closed,
    full_weeks,
    policy_totals,
    require,
    scores,
    worth_of_a_point,
)
from forecasting_assets.reporting.style import label


@dataclass(frozen=True)
class Headline:
    value: str
    words: str


def backtest_headlines(report: pd.DataFrame) -> list[Headline]:
    """Error, coverage, bias and size of the backtest, of the combined forecast or the best model there is."""
    wide = scores(report)
    level = wide.index.get_level_values
    overall = wide[(level("segment") == "all") & (level("horizon") == 0) & wide["wape"].notna()]
    if overall.empty:
        return [Headline("No backtest yet", "no forecast of an earlier week has met its week so far")]
    model, row = label(overall.index[0][0]), overall.iloc[0]
    than = f": {compared(row['skill'], than='seasonal naive')}" if pd.notna(row["skill"]) else ""
    found = [Headline(f"WAPE {percent(row['wape'])}", f"{model} forecast{than}")]
    for level_, name in (("coverage_80", "80 %"), ("coverage_90", "90 %")):
        if level_ in row:
            found.append(Headline(percent(row[level_]), f"of weeks fell inside the {name} interval"))
    if "bias" in row and pd.notna(row["bias"]):
        direction = "higher" if row["bias"] > 0 else "lower"
        found.append(Headline(percent(abs(row["bias"])), f"{direction} than ordered: bias of the forecast"))
    if "n" in row:
        found.append(Headline(number(row["n"]), "forecasts compared with what was ordered"))
    return found


def plan_headlines(
    plan: pd.DataFrame,
    capacity_load: pd.DataFrame,
    shortages: pd.DataFrame,
    costs: dict[str, float],
    impact: pd.DataFrame,
) -> list[Headline]:
    """Units placed and short, who is full, cost, and what earlier plans were worth."""
    require(plan, ["quantity"], "allocation_plan")
    require(shortages, ["quantity"], "plan_shortages")
    placed, short = plan["quantity"].sum(), shortages["quantity"].sum()
    found = []
    if placed + short > 0:
        found.append(
            Headline(
                percent(placed / (placed + short)),
                f"of {number(placed + short)} units have a manufacturer, {number(short)} do not",
            )
        )
    else:
        found.append(Headline("No plan yet", "there was no demand to plan for"))
    makers = capacity_load["manufacturer_id"].nunique()
    if makers:
        full = int((full_weeks(capacity_load) > 0).sum())
        overtime = number(capacity_load["overtime_hours"].sum())
        found.append(
            Headline(f"{number(full)} of {number(makers)}", "manufacturers are full in at least one week")
        )
        found.append(Headline(f"{overtime} h", "of overtime"))
    if "total" in costs:
        found.append(Headline(number(costs["total"]), "cost of the plan, expected penalties included"))
    outcome = policy_totals(impact).to_dict("index")
    if "plan" in outcome:
        done = outcome["plan"]
        since = f"in {counted(done['weeks'], 'week')} judged since"
        if pd.notna(done.get("on_time_rate")):
            found.append(Headline(percent(done["on_time_rate"]), f"of units on time under the plan {since}"))
        if outcome.get("status_quo", {}).get("cost", 0) > 0:
            gain = done["cost"] / outcome["status_quo"]["cost"] - 1
            found.append(
                Headline("+" * (gain > 0) + percent(gain), f"cost of the plan against the status quo {since}")
            )
        closed = distance_closed(policy_totals(impact))
        if pd.notna(closed):
            found.append(
                Headline(percent(closed, 0), f"of the way from status quo to perfect foresight gone {since}")
            )
        worth = worth_of_a_point(cost_by_accuracy(impact))
        if pd.notna(worth):
            found.append(
                Headline(number(worth), "a week is what one point of forecast accuracy (WAPE) is worth")
            )
    return found
