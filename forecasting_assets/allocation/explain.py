"""Say in words why units are short or late: the manufacturer, the week, and the limits that bind there."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecasting_assets.allocation.causes import LIMITS, find_causes
from forecasting_assets.allocation.comparison import Comparison
from forecasting_assets.allocation.label_model import CLASS
from forecasting_assets.tables import PLAN_REASONS

#: Differences of cost below this share of a unit's cost are none.
_EQUAL = 1e-6


def explain(found: Comparison, unservable: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Return PLAN_REASONS of a plan: a row for each category, region and due week with units short or late.

    Where several bands of a category are short, the reason is that of the band with most units.

    Parameters
    ----------
    found
        The plan beside the model of its problem.
    unservable
        (part_category, region) -> why no manufacturer can serve it, regardless of hours.

    Returns
    -------
    DataFrame
        PLAN_REASONS. `rule` is what stops the best way left (several are joined by " + "), and `price` what relaxing it
        by one `price_unit` saves, or by how much a unit costs more.
    """
    causes = find_causes(found).sort_values("quantity", ascending=False, kind="stable", ignore_index=True)
    labels = found.model.classes[CLASS[:3]].iloc[causes["class"]].reset_index(drop=True)
    causes = pd.concat([causes, labels], axis=1)
    group = causes.groupby(["kind", *CLASS[:3]], sort=False)
    total = group["quantity"].transform("sum")
    main = causes[group.cumcount() == 0].assign(quantity=total)
    rows = []
    for record in main.to_dict("records"):
        cause: dict[str, Any] = {str(name): value for name, value in record.items()}
        row: dict[str, Any] = {
            "manufacturer_id": None,
            "production_week": pd.NaT,
            "price": float("nan"),
            "price_unit": None,
        }
        row |= _why(found, cause, unservable)
        prefix = f"{cause['part_category']} for {cause['region']} in week {cause['due_week']:%Y-%m-%d}"
        rows.append({**cause, **row, "reason": f"{prefix}: {row['reason']}"})
    types: dict[str, Any] = {
        "due_week": "datetime64[ns]",
        "production_week": "datetime64[ns]",
        "price": float,
    }
    table = pd.DataFrame(rows, columns=PLAN_REASONS.names).astype(types)
    return table.sort_values(list(PLAN_REASONS.key), ignore_index=True)


def _why(
    found: Comparison, cause: dict[str, Any], unservable: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    """Return rule, reason, manufacturer, week and price of one cause."""
    nobody = unservable.get((cause["part_category"], cause["region"]))
    if nobody:
        return {"rule": "unservable", "reason": nobody}
    if cause["way"] < 0:
        return {"rule": "horizon", "reason": _outside_the_horizon(found, cause)}
    way = found.model.ways.iloc[cause["way"]].to_dict()
    place = {"manufacturer_id": way["manufacturer_id"], "production_week": way["production_week"]}
    limits = [name for name in LIMITS if cause[name]]
    if cause["stopped"] and limits:
        return place | _stopped(found, cause, way, limits)
    if cause["stopped"]:
        return place | _held_elsewhere(found, cause)
    return place | _too_expensive(found, cause, way)


def _outside_the_horizon(found: Comparison, cause: dict[str, Any]) -> str:
    weeks = found.model.capacity["production_week"]
    when = "on time" if cause["kind"] == "late" else "within the allowed weeks"
    if weeks.empty:
        return "there is no production week"
    if cause["kind"] == "late" and cause["due_week"] < weeks.min():
        return f"overdue: it was due before {weeks.min():%Y-%m-%d}, the first week that is planned"
    return (
        f"no manufacturer that makes it can deliver {when}: it would have to be made outside the production weeks "
        f"{weeks.min():%Y-%m-%d} to {weeks.max():%Y-%m-%d}, or where no hours are planned"
    )


def _too_expensive(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> dict[str, Any]:
    """Return the cause of a way that costs as much as what is planned, or more, even without any limit."""
    more = -cause["saving"]
    equal = more < _smallest(cause)
    if cause["kind"] == "short":
        than = "as much as" if equal else "more than"
        words = (
            f"declined: a unit costs at least {cause['cost']:,.2f} ({_place(way)}), {than} its shortage price of "
            f"{cause['alternative']:,.2f}"
        )
        return {"rule": "declined", "reason": words, "price": max(more, 0.0), "price_unit": "unit"}
    late = _place(found.model.ways.iloc[cause["used"]].to_dict())
    words = f"a unit on time from {_place(way)} costs {more:,.2f} more than late from {late}"
    if equal:
        words = f"a unit on time from {_place(way)} and late from {late} are equally expensive"
    return {"rule": "cost", "reason": words, "price": max(more, 0.0), "price_unit": "unit"}


def _smallest(cause: dict[str, Any]) -> float:
    """Return the smallest difference of costs that counts: less than a cent would be said as 0.00."""
    return max(0.005, _EQUAL * abs(float(cause["alternative"])))


def _stopped(
    found: Comparison, cause: dict[str, Any], way: dict[str, Any], limits: list[str]
) -> dict[str, Any]:
    """Return the cause of a way that is cheaper than what is planned, but stopped by limits."""
    on_time = " on time" if cause["kind"] == "late" else ""
    phrases = [_PHRASES[name](found, cause, way) for name in limits]
    if len(limits) > 1:
        words = f"the cheapest way left{on_time} is {_place(way)}, but several limits bind there at once: "
        words += f"{'; '.join(phrases)}. Relaxed together, one more unit saves {cause['saving']:,.2f}"
        price, unit = cause["saving"], "unit"
    else:
        price, unit = _price(cause, way, limits[0])
        words = f"the cheapest way left{on_time} is {_place(way)}, but {phrases[0]}; "
        words += f"{_RELAXED[limits[0]]} saves {price:,.2f}"
    displaced = cause["price"] - _planned_price(found, cause)
    if displaced >= _smallest(cause) and limits == ["regular_hours"]:
        than = f"its shortage price of {cause['alternative']:,.2f}" if cause["kind"] == "short" else "late"
        words += (
            f". The hours serve demand that they are worth more to: a unit here would cost {displaced:,.2f} more "
            f"than {than}"
        )
    return {"rule": " + ".join(limits), "reason": words, "price": price, "price_unit": unit}


def _planned_price(found: Comparison, cause: dict[str, Any]) -> float:
    """Return what a unit of what is planned instead costs, with scarce hours and rules at their price."""
    return float(cause["used_price"]) if cause["kind"] == "late" else float(cause["alternative"])


def _price(cause: dict[str, Any], way: dict[str, Any], limit: str) -> tuple[float, str]:
    """Return what relaxing a limit by one unit saves; at least what one more unit on the way does."""
    if limit == "regular_hours":
        return max(cause["hours_price"], cause["saving"] / way["hours_per_unit"]), "hour"
    if limit == "maximum_share":
        return max(cause["share_price"], cause["saving"]), "unit"
    return cause["saving"], "unit"


def _hours(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> str:
    slot = found.model.capacity.iloc[way["slot"]]
    hours = slot["capacity_hours"] + slot["locked_hours"]
    overtime = slot["overtime_capacity_hours"] > 0
    if hours <= 0:
        return "it has no hours"
    words = f"all {_number(hours)} hours are planned"
    if slot["locked_hours"] > 0:
        words += f" ({_number(slot['locked_hours'])} of them locked)"
    if overtime and not cause["overtime_left"]:
        words += ", overtime included"
    elif overtime:
        words += f" (in overtime a unit costs {cause['cost'] + way['overtime_cost']:,.2f})"
    return words


def _share(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> str:
    share = 100 * found.basis.policy.maximum_share[way["part_category"]]
    return f"its maximum share of {_number(share)} % of {way['part_category']} is reached"


def _frozen(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> str:
    return f"its plan is frozen, and a unit added to it costs {cause['change']:,.2f} more"


def _activation(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> str:
    makers = found.basis.network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    cost = float(makers[way["manufacturer_id"]])
    return f"it is not used in that week, as using it costs {cost:,.2f}, more than that would save"


def _batch(found: Comparison, cause: dict[str, Any], way: dict[str, Any]) -> str:
    smallest = found.basis.policy.minimum_batch[way["part_category"]]
    return f"a batch of fewer than {_number(smallest)} units of {way['part_category']} is not allowed"


def _number(value: float) -> str:
    """Format a number of hours, units or percent: `1,200`, `37.5`."""
    return f"{value:,.1f}".removesuffix(".0")


_PHRASES = {
    "regular_hours": _hours,
    "maximum_share": _share,
    "frozen_weeks": _frozen,
    "activation": _activation,
    "minimum_batch": _batch,
}
_RELAXED = {
    "regular_hours": "one more hour there",
    "maximum_share": "one more unit there",
    "frozen_weeks": "one more unit without that cost",
    "activation": "one more unit without that cost",
    "minimum_batch": "one more unit in a smaller batch",
}


def _held_elsewhere(found: Comparison, cause: dict[str, Any]) -> dict[str, Any]:
    """Return the cause of a way that nothing stops: a rule holds the units where they are made."""
    if cause["used"] >= 0:
        late = found.model.ways.iloc[cause["used"]].to_dict()
        for rule, words in (
            ("minimum_load", "its minimum load has to be kept"),
            ("minimum_batch", "its minimum batch has to be kept"),
            ("frozen_weeks", "units dropped from its frozen plan have a cost"),
        ):
            if cause[f"held_by_{rule}"] > 0:
                reason = f"units are made late at {_place(late)}, because {words}; one unit less there saves "
                reason += f"{cause[f'held_by_{rule}']:,.2f}"
                return {
                    "rule": rule,
                    "reason": reason,
                    "price": cause[f"held_by_{rule}"],
                    "price_unit": "unit",
                }
    reason = f"a unit from {_place(found.model.ways.iloc[cause['way']].to_dict())} would save {cause['saving']:,.2f}, "
    reason += "which is within what the plan may be above its lower bound"
    return {"rule": "gap", "reason": reason, "price": cause["saving"], "price_unit": "unit"}


def _place(way: dict[str, Any]) -> str:
    return f"{way['manufacturer_id']} in week {way['production_week']:%Y-%m-%d}"
