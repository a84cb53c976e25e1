"""The closing words of a run for a planner, as plain text."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import compared, counted, number, percent
from forecasting_assets.reporting.measures import (
    cost_by_accuracy,
    distance_closed,
    policy_totals,
    scores,
    worth_of_a_point,
)
from forecasting_assets.reporting.style import COST_PARTS, label
from forecasting_assets.reporting.texttable import aligned


def summary(
    report: pd.DataFrame, impact: pd.DataFrame, costs: dict[str, float], reports: Sequence[str], open_ui: str
) -> str:
    """Accuracy of each model, worth of the plans, cost of the newest, where to look next; under 30 lines.

    `report` is BACKTEST_REPORT of one week, `impact` BUSINESS_IMPACT of one or more, `costs` the `total` and
    parts of the newest plan, `reports` the paths of the reports, `open_ui` the command that opens the UI.
    """
    return "\n".join(
        [
            "FORECASTS against what was ordered (all series, all horizons)",
            *_accuracy(report),
            "",
            *_worth(impact),
            "",
            *_cost(costs),
            "",
            "REPORTS",
            *(f"  {path}" for path in reports),
            "OPEN THE UI",
            f"  {open_ui}",
        ]
    )


def _accuracy(report: pd.DataFrame) -> list[str]:
    wide = scores(report)
    level = wide.index.get_level_values
    rows = wide[(level("segment") == "all") & (level("horizon") == 0)].droplevel(["segment", "horizon"])
    if rows.empty:
        return ["  No backtest yet: no forecast of an earlier week has met its week so far."]
    rows = rows.reindex(columns=["wape", "skill", "rmsse", "coverage_80", "coverage_90"])
    lines = [["Model", "WAPE", "against seasonal naive", "RMSSE", "in 80 % interval", "in 90 % interval"]]
    for model, (wape, skill, rmsse, in_80, in_90) in zip(rows.index, rows.to_numpy(), strict=True):
        against = "" if np.isnan(skill) else compared(skill)
        lines.append([label(model), percent(wape), against, number(rmsse, 2), percent(in_80), percent(in_90)])
    return aligned(lines)


def _worth(impact: pd.DataFrame) -> list[str]:
    totals = policy_totals(impact)
    if totals.empty:
        return ["PLANS", "  None of the weeks planned for has closed yet."]
    weeks = int(totals["weeks"].iloc[0])
    rows = totals.reindex(columns=["cost", "on_time_rate", "utilisation"])
    base = totals["cost"].to_dict().get("plan", 0.0)
    lines = [["Policy", "cost", "against the plan", "on time", "capacity used"]]
    for policy, (cost, on_time, used) in zip(rows.index, rows.to_numpy(), strict=True):
        known = policy != "plan" and base > 0
        against = compared(1 - cost / base, "cheaper", "dearer") if known else ""
        lines.append([label(policy), number(cost), against, percent(on_time), percent(used)])
    closed, worth = distance_closed(totals), worth_of_a_point(cost_by_accuracy(impact))
    told = []
    if not np.isnan(closed):
        told.append(f"  The plan goes {percent(closed, 0)} of the way from status quo to perfect foresight.")
    if not np.isnan(worth):
        told.append(f"  One point of forecast accuracy (WAPE) is worth {number(worth)} a week.")
    return [f"PLANS against what was ordered ({counted(weeks, 'week')})", *aligned(lines), *told]


def _cost(costs: dict[str, float]) -> list[str]:
    if "total" not in costs:
        return ["NEWEST PLAN", "  There is no plan yet."]
    parts = ", ".join(
        f"{label(part).lower()} {number(costs[part])}" for part in COST_PARTS if costs.get(part, 0) > 0
    )
    cost = f"Cost {number(costs['total'])}" + (f": {parts}" if parts else "")
    return ["NEWEST PLAN", *wrap(cost, 96, initial_indent="  ", subsequent_indent="  ")]
