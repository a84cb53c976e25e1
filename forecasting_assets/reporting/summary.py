"""Plain-text summary for a planner at the end of a run."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import compared, number, percent
from forecasting_assets.reporting.measures import (
    cost_by_accuracy,
    policy_totals,
    scores,
    value_of_a_point,
)
from forecasting_assets.reporting.style import COST_PARTS, label
from forecasting_assets.reporting.texttable import aligned
from forecasting_assets.reporting.worth import worth_in_words
from forecasting_assets.wording import count


def summary(
    report: pd.DataFrame, impact: pd.DataFrame, costs: dict[str, float], reports: Sequence[str], open_ui: str
) -> str:
    """Summarise accuracy, business impact and cost in under 30 lines, with where to look next.

    Parameters
    ----------
    report
        BACKTEST_REPORT of one week.
    impact
        BUSINESS_IMPACT of one or more weeks.
    costs
        Cost of the newest plan: `total` and its parts.
    reports
        Paths of the reports, and the command that opens them.
    open_ui
        How to open the UI.
    """
    return "\n".join(
        [
            "FORECAST ACCURACY (all series, all horizons)",
            *_accuracy(report),
            "",
            *_impact(impact),
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
        return ["  No backtest yet: no week with a forecast has closed."]
    rows = rows.reindex(columns=["wape", "skill", "rmsse", "coverage_80", "coverage_90"])
    lines = [["Model", "WAPE", "against seasonal naive", "RMSSE", "in 80 % interval", "in 90 % interval"]]
    for model, (wape, skill, rmsse, in_80, in_90) in zip(rows.index, rows.to_numpy(), strict=True):
        against = "" if np.isnan(skill) else compared(skill)
        lines.append([label(model), percent(wape), against, number(rmsse, 2), percent(in_80), percent(in_90)])
    return aligned(lines)


def _impact(impact: pd.DataFrame) -> list[str]:
    totals = policy_totals(impact)
    if totals.empty:
        return ["BUSINESS IMPACT", "  No planned week has closed yet."]
    weeks = int(totals["weeks"].iloc[0])
    rows = totals.reindex(columns=["cost", "on_time_rate", "utilisation"])
    base = totals["cost"].to_dict().get("plan", 0.0)
    lines = [["Policy", "cost", "against the plan", "on time", "capacity used"]]
    for policy, (cost, on_time, used) in zip(rows.index, rows.to_numpy(), strict=True):
        comparable = policy != "plan" and base > 0
        against = compared(1 - cost / base, "cheaper", "more expensive") if comparable else ""
        lines.append([label(policy), number(cost), against, percent(on_time), percent(used)])
    value = value_of_a_point(cost_by_accuracy(impact))
    notes = [
        line
        for sentence in worth_in_words(impact)
        for line in wrap(sentence, 96, initial_indent="  ", subsequent_indent="  ")
    ]
    if not np.isnan(value):
        notes.append(f"  Each percentage point less WAPE saves {number(value)} per week.")
    return [f"BUSINESS IMPACT against actual orders ({count(weeks, 'week')})", *aligned(lines), *notes]


def _cost(costs: dict[str, float]) -> list[str]:
    if "total" not in costs:
        return ["NEWEST PLAN", "  There is no plan yet."]
    parts = ", ".join(
        f"{label(part).lower()} {number(costs[part])}" for part in COST_PARTS if costs.get(part, 0) > 0
    )
    cost = f"Cost {number(costs['total'])}" + (f": {parts}" if parts else "")
    return ["NEWEST PLAN", *wrap(cost, 96, initial_indent="  ", subsequent_indent="  ")]
