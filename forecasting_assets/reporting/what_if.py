"""Difference between a changed case and the plan: a few lines of text, and a page with a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from forecasting_assets.reporting import charts
from forecasting_assets.reporting.formats import Money, number, percent, signed
from forecasting_assets.reporting.headlines import Headline
from forecasting_assets.reporting.html import Page, Section, closed_week, render
from forecasting_assets.reporting.plan_tables import reasons_table, units
from forecasting_assets.reporting.style import COST_PARTS, label
from forecasting_assets.reporting.texttable import TextTable, aligned, table, text
from forecasting_assets.wording import listed

PLAN, CHANGED = "Plan", "Changed"


@dataclass(frozen=True)
class Difference:
    """Differences between the cases PLAN and CHANGED.

    Attributes
    ----------
    description
        What is changed, as a phrase for titles.
    cost
        Cost of each case: `total` and its parts.
    on_time
        Expected share of units on time in each case.
    short
        Units short in each case.
    hours
        A row for each manufacturer with columns PLAN, CHANGED and change, in hours; most changed first.
    reasons
        PLAN_REASONS of the changed case.
    dropped
        Rules, locks and promises that name what is removed, and so do not hold in the changed case.
    effect
        What changed covariates change in the forecast: part_id, region, target_week, before and after (units). None if
        none is changed.
    beyond
        Changed covariates outside the values known so far: part_id, region, covariate, low and high, and lowest and
        highest of those known, NaN if none is. None if no covariate is changed.
    """

    description: str
    cost: dict[str, dict[str, float]]
    on_time: dict[str, float]
    short: dict[str, float]
    hours: pd.DataFrame
    reasons: pd.DataFrame
    dropped: Sequence[str] = ()
    effect: pd.DataFrame | None = None
    beyond: pd.DataFrame | None = None

    @property
    def extrapolated(self) -> str:
        """Which forecasts rest on values never seen before, as a sentence; empty if none does."""
        if self.beyond is None or self.beyond.empty:
            return ""
        names = self.beyond[["part_id", "region", "covariate"]].to_numpy()
        ranges = self.beyond[["low", "high", "lowest", "highest"]].to_numpy(float)
        values = [
            f"{covariate} of {part} in {region} {_range(low, high)} ({_so_far(lowest, highest)})"
            for (part, region, covariate), (low, high, lowest, highest) in zip(names, ranges, strict=True)
        ]
        return f"Outside all values known so far, so take the forecast as a rough guess: {listed(values, 5)}."

    @property
    def no_longer_valid(self) -> str:
        """What is dropped, as a sentence; empty if nothing is."""
        return f"Does not hold in this case: {', '.join(self.dropped)}." if self.dropped else ""


def what_if_text(week: date, difference: Difference) -> str:
    """Describe the difference for a terminal, in under 30 lines."""
    cost = _costs(difference)
    rows = [["", PLAN, CHANGED, "difference"]]
    for part in [*[p for p in COST_PARTS if p in cost and cost[p].abs().sum() > 0], "cost"]:
        before, after = cost[part].tolist()
        name = "Total cost" if part == "cost" else label(part)
        rows.append([name, number(before), number(after), signed(after - before)])
    before, after = difference.on_time[PLAN], difference.on_time[CHANGED]
    points = f"{signed(100 * (after - before), 1)} points"
    rows.append(["Expected on time", percent(before), percent(after), points])
    before, after = difference.short[PLAN], difference.short[CHANGED]
    rows.append(["Units short", number(before), number(after), signed(after - before)])
    moved = difference.hours[difference.hours["change"].abs() > 0.05].head(8)
    manufacturers = [["", PLAN, CHANGED, "difference"]]
    for manufacturer, before, after, change in zip(
        moved.index, *moved[[PLAN, CHANGED, "change"]].to_numpy().T, strict=True
    ):
        manufacturers.append([str(manufacturer), number(before, 1), number(after, 1), signed(change, 1)])
    lines = [f"WHAT IF {difference.description} (week {week})", *aligned(rows)]
    if difference.dropped:
        lines += ["", f"  {difference.no_longer_valid}"]
    if difference.effect is not None:
        lines += ["", "FORECAST BY PART", *aligned(_effect_rows(difference.effect))]
    if difference.extrapolated:
        lines += ["", f"  {difference.extrapolated}"]
    lines += ["", "HOURS BY MANUFACTURER"]
    return "\n".join(
        lines + (aligned(manufacturers) if len(moved) else ["  No manufacturer's hours change."])
    )


def what_if_html(week: date, difference: Difference, money: Money) -> str:
    """Render the difference as a page for planners; `money` says how amounts are written."""
    cost = _costs(difference)
    total = difference.cost[PLAN]["total"]
    change = difference.cost[CHANGED]["total"] - total
    points = 100 * (difference.on_time[CHANGED] - difference.on_time[PLAN])
    hours = difference.hours.reset_index(names="manufacturer_id")
    picture, narrow = (
        charts.what_if(cost, difference.hours, difference.on_time, difference.description, narrow=narrow)
        for narrow in (False, True)
    )
    return render(
        Page(
            "What if",
            f"after {closed_week(week)}",
            f"{difference.description}: this case compared with the plan, which is unchanged. "
            f"{difference.no_longer_valid} {money.note}",
            "what-if.html",
            [
                Headline(money.change(change), f"cost, which is {money.amount(total)} in the plan"),
                Headline(f"{signed(points, 1)} points", "of units expected on time"),
                Headline(signed(difference.short[CHANGED] - difference.short[PLAN]), "units short"),
            ],
            [
                Section("Difference from the plan", "difference", pictures=[picture], narrow=[narrow]),
                *([_effect_section(difference)] if difference.effect is not None else []),
                Section("Hours by manufacturer", "hours", tables=[_hours_table(hours)]),
                Section("Why units are short or late", "reasons", tables=[reasons_table(difference.reasons)]),
            ],
        )
    )


def _by_part(effect: pd.DataFrame) -> pd.DataFrame:
    """Add up the forecast of each part, those that change most first: part_id, before, after, change (units)."""
    parts = effect.groupby("part_id", as_index=False)[["before", "after"]].sum()
    parts["change"] = parts["after"] - parts["before"]
    return parts.sort_values("change", key=lambda change: -change.abs(), kind="stable", ignore_index=True)


def _effect_rows(effect: pd.DataFrame) -> list[list[str]]:
    """Lay out the forecast of the parts that change most, and of all, for a terminal."""
    parts = _by_part(effect)
    numbers = parts[["before", "after", "change"]].to_numpy()
    named = [*zip(parts["part_id"].head(5), numbers, strict=False), ("All in scope", numbers.sum(axis=0))]
    rows = [[name, number(before), number(after), signed(change)] for name, (before, after, change) in named]
    return [["", "Forecast", CHANGED, "difference"], *rows]


def _so_far(lowest: float, highest: float) -> str:
    return f"so far {_range(lowest, highest)}" if lowest <= highest else "never known of a past week"


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _effect_section(difference: Difference) -> Section:
    assert difference.effect is not None
    note = "By the models of this week with the changed covariates. Planned demand changes by the same share."
    return Section(
        "Forecast by part",
        "forecast",
        tables=[
            table(
                "Units forecast for all weeks ahead",
                _by_part(difference.effect),
                {
                    "part_id": ("Part", text),
                    "before": ("Forecast", units),
                    "after": ("This case", units),
                    "change": ("Change", lambda v: signed(v, 1)),
                },
                f"{note} {difference.extrapolated}".strip(),
            )
        ],
    )


def _hours_table(hours: pd.DataFrame) -> TextTable:
    return table(
        "Hours by manufacturer",
        hours,
        {
            "manufacturer_id": ("Manufacturer", text),
            PLAN: ("Plan, h", units),
            CHANGED: ("This case, h", units),
            "change": ("Change, h", lambda v: signed(v, 1)),
        },
    )


def _costs(difference: Difference) -> pd.DataFrame:
    return pd.DataFrame(difference.cost).T.rename(columns={"total": "cost"})
