"""Scenarios side by side, beside the plan that they change."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from forecasting_assets.reporting.formats import number, percent, signed
from forecasting_assets.reporting.style import COST_PARTS, label

#: Manufacturers that a comparison lists, those whose hours differ most first.
_MANUFACTURERS_SHOWN = 12


class PlanOutcome(Protocol):
    """What a plan costs and delivers: cost by part, share on time, units short, and hours by manufacturer."""

    @property
    def cost(self) -> Mapping[str, float]:
        """Cost: `total` and its parts."""

    @property
    def on_time(self) -> float:
        """Share of demand that is expected on time."""

    @property
    def short(self) -> float:
        """Units short."""

    @property
    def hours(self) -> Mapping[str, float]:
        """Planned hours by manufacturer."""


def side_by_side(plan: PlanOutcome, cases: Sequence[PlanOutcome]) -> list[list[str]]:
    """Return the rows of a comparison: a measure, its value in the plan, and value and difference in each case."""
    outcomes = [plan, *cases]

    def row(name: str, values: Sequence[float], digits: int = 0) -> list[str]:
        first, *others = values
        return [
            name,
            number(first, digits),
            *(f"{number(v, digits)} ({signed(v - first, digits)})" for v in others),
        ]

    costs = {part: [outcome.cost.get(part, 0.0) for outcome in outcomes] for part in [*COST_PARTS, "total"]}
    rows = [
        row("Total cost" if part == "total" else label(part), values)
        for part, values in costs.items()
        if any(values)
    ]
    on_time = [outcome.on_time for outcome in outcomes]
    points = [f"{percent(v)} ({signed(100 * (v - on_time[0]), 1)} points)" for v in on_time[1:]]
    rows.append(["Expected on time", percent(on_time[0]), *points])
    rows.append(row("Units short", [outcome.short for outcome in outcomes]))
    manufacturers = sorted({name for outcome in outcomes for name in outcome.hours})
    hours = {name: [outcome.hours.get(name, 0.0) for outcome in outcomes] for name in manufacturers}
    differing = sorted(hours, key=lambda name: -float(np.ptp(hours[name])))
    rows += [
        row(f"Hours of {name}", hours[name], 1)
        for name in differing[:_MANUFACTURERS_SHOWN]
        if np.ptp(hours[name]) > 0.05
    ]
    return rows
