"""Promise: when, by whom and at what cost an inquiry can be served on the capacity that a plan leaves.

An inquiry is one part for one region. Its cheapest delivery in a week is a transportation problem with one
destination: it takes whole units from stock that no demand uses, and from the hours that are left, regular hours first.
Rules that bind production (minimum batches, maximum shares, activation costs) are part of it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import certify
from forecasting_assets.allocation.free_capacity import FreeCapacity, Inquiry, Offer, OfferLine
from forecasting_assets.allocation.instance import capabilities_of
from forecasting_assets.allocation.network import Network, unservable
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import (
    Columns,
    InfeasibleError,
    Program,
    Rows,
    Solution,
    assemble,
    diagonal,
    incidence,
    solve,
)
from forecasting_assets.weeks import add_weeks_to_all, weeks_since

#: Share of a unit by which hours may fall short of a whole unit because of rounding.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Offers:
    """The offers for an inquiry.

    Attributes
    ----------
    earliest, cheapest
        The cheapest offer in the earliest week, and the cheapest in any week; None if there is none.
    why
        Why there is none; empty if there is one.
    """

    earliest: Offer | None
    cheapest: Offer | None
    why: str = ""


def find_offers(
    inquiry: Inquiry, category: str, free: FreeCapacity, network: Network, policy: AllocationPolicy
) -> Offers:
    """Find the earliest and the cheapest delivery for an inquiry, up to its latest week.

    Parameters
    ----------
    inquiry
        The inquiry.
    category
        Category of its part.
    free
        What the plan leaves.
    network, policy
        Who can make and deliver what, at which costs and under which rules.
    """
    asked = pd.DataFrame(
        {"part_category": [category], "region": [inquiry.region], "quantity": [inquiry.quantity]}
    )
    if reasons := unservable(network, asked):
        in_stock = _stock_bins(inquiry, free)
        if in_stock["units"].sum() < inquiry.quantity:
            return Offers(None, None, reasons[category, inquiry.region])
    sources = _sources(inquiry, category, free, network)
    if inquiry.by is not None:
        sources = sources[sources["arrival_week"] <= pd.Timestamp(inquiry.by)].reset_index(drop=True)
    rules = _Rules.of(inquiry, category, free, network, policy)
    offers, most = [], 0.0
    for week in sorted(sources["arrival_week"].unique()):
        delivery = _Delivery(sources, rules, policy, week)
        most = max(most, delivery.room)
        if delivery.room >= inquiry.quantity * (1 - _TOLERANCE) and (offer := delivery.offer(inquiry)):
            offers.append(offer)
    if offers:
        return Offers(offers[0], min(offers, key=lambda offer: (round(offer.cost, 9), offer.week)))
    return Offers(None, None, _why_none(inquiry, most))


def _why_none(inquiry: Inquiry, most: float) -> str:
    until = f"by {inquiry.by}" if inquiry.by else "within the weeks of the plan"
    if most <= 0:
        return f"no unit can be in {inquiry.region} {until}: no hours are left"
    if most < inquiry.quantity:
        return f"the hours and the stock that are left are enough for {most:,.0f} units {until}"
    return f"the rules of the marketplace allow no delivery of {inquiry.quantity:,.6g} units {until}"


def _stock_bins(inquiry: Inquiry, free: FreeCapacity) -> pd.DataFrame:
    """Return the whole units of the part's own stock, by the week in which they are available."""
    stock = free.stock
    own = stock[(stock["part_id"] == inquiry.part_id) & (stock["region"] == inquiry.region)]
    return pd.DataFrame(
        {
            "manufacturer_id": None,
            "production_week": pd.Series(pd.NaT, own.index, dtype="datetime64[ns]"),
            "arrival_week": own["week"],
            "units": np.floor(own["quantity"] + _TOLERANCE),
            "overtime_share": 0.0,
            "unit_cost": 0.0,
            "overtime_premium": 0.0,
            "lane_cost": 0.0,
        }
    )


def _sources(inquiry: Inquiry, category: str, free: FreeCapacity, network: Network) -> pd.DataFrame:
    """Return where units can come from, in whole units of equal cost.

    Of each slot these are units in regular hours, at most one that is partly made in overtime, and units in overtime.

    Returns
    -------
    DataFrame
        manufacturer_id (None for stock), production_week, arrival_week, units, overtime_share (of each unit),
        unit_cost, overtime_premium, lane_cost.
    """
    ways = capabilities_of(network).query("part_category == @category")
    lanes = network.lanes.query("to_region == @inquiry.region").rename(
        columns={"from_region": "manufacturer_region", "unit_cost": "lane_cost"}
    )
    slots = free.slots.merge(ways, on="manufacturer_id").merge(lanes, on="manufacturer_region")
    hours = slots["hours_per_unit"]
    regular = slots["regular_hours"] / hours
    whole = np.floor(regular + _TOLERANCE)
    total = np.floor((slots["regular_hours"] + slots["overtime_hours"]) / hours + _TOLERANCE)
    begun = np.clip(regular - whole, 0.0, None)
    mixed = np.where(begun > _TOLERANCE, np.minimum(total - whole, 1.0), 0.0)
    bins = [(whole, 0.0), (mixed, 1.0 - begun), (total - whole - mixed, 1.0)]
    slots["arrival_week"] = add_weeks_to_all(
        slots["production_week"].to_numpy(), slots["transit_weeks"].to_numpy(int)
    )
    made = [slots.assign(units=units, overtime_share=share) for units, share in bins]
    in_stock = _stock_bins(inquiry, free)
    sources = pd.concat([*([in_stock] if len(in_stock) else []), *(m[list(in_stock)] for m in made)])
    return sources[sources["units"] > 0].reset_index(drop=True)


@dataclass(frozen=True)
class _Rules:
    """Rules that bind the production for an inquiry.

    Attributes
    ----------
    activation_cost
        (manufacturer_id, production_week) -> fixed cost, of slots that are not used yet.
    batch_at_least
        (manufacturer_id, production_week) -> units by which a batch is smaller than the minimum.
    share_at_most
        manufacturer_id -> units that it may still make of the category.
    """

    activation_cost: pd.Series
    batch_at_least: pd.Series
    share_at_most: pd.Series

    @classmethod
    def of(
        cls, inquiry: Inquiry, category: str, free: FreeCapacity, network: Network, policy: AllocationPolicy
    ) -> "_Rules":
        slot = ["manufacturer_id", "production_week"]
        made = free.made[free.made["part_category"] == category]
        slots = free.slots.set_index(slot)
        cost = network.manufacturers.set_index("manufacturer_id")["activation_cost"]
        fixed = pd.Series(cost.reindex(slots.index.get_level_values(0)).to_numpy(float), slots.index)
        fixed = fixed[(fixed > 0) & ~slots["is_used"].astype(bool)]
        smallest = policy.minimum_batch.get(category, 0.0)
        missing = smallest - made.groupby(slot)["quantity"].sum().reindex(slots.index).fillna(0.0)
        share = policy.maximum_share.get(category)
        at_most = pd.Series(dtype=float)
        if share is not None:
            planned = made.groupby("manufacturer_id")["quantity"].sum()
            allowed = share * (free.wanted.get(category, 0.0) + inquiry.quantity)
            at_most = allowed - planned.reindex(slots.index.unique(0)).fillna(0.0)
            at_most = np.floor(at_most.clip(lower=0.0) + _TOLERANCE)
        return cls(
            fixed if policy.activation_costs else fixed.iloc[:0], missing[missing > _TOLERANCE], at_most
        )


class _Delivery:
    """The cheapest delivery of an inquiry in one week."""

    def __init__(
        self, sources: pd.DataFrame, rules: _Rules, policy: AllocationPolicy, week: np.datetime64
    ) -> None:
        early = weeks_since(sources["arrival_week"], np.full(len(sources), week))
        in_time = (early >= 0) & ((early <= policy.max_weeks_early) | sources["manufacturer_id"].isna())
        self.week, self.rules = pd.Timestamp(week).date(), rules
        self.sources = sources.assign(
            units=sources["units"].where(in_time, 0.0),
            overtime_cost=sources["overtime_share"] * sources["overtime_premium"] * sources["unit_cost"],
            holding_cost=policy.keeping_cost * np.maximum(early, 0) * sources["unit_cost"],
        )

    @property
    def room(self) -> float:
        """Units that can be delivered at most, leaving out minimum batches."""
        by_manufacturer = self.sources.groupby("manufacturer_id", dropna=False)["units"].sum()
        most = self.rules.share_at_most.reindex(by_manufacturer.index).fillna(np.inf)
        return float(np.minimum(by_manufacturer, most).sum())

    def offer(self, inquiry: Inquiry) -> Offer | None:
        """Return the cheapest offer for the inquiry; None if the rules allow none."""
        program = self._program(inquiry.quantity)
        try:
            solution = solve(program, time_limit=60.0, gap=1e-9)
        except InfeasibleError:
            return None
        if float(inquiry.quantity).is_integer():
            # Every vertex is whole, because all bounds are; the solver only rounds.
            solution = replace(solution, x=np.round(solution.x, 0))
        return self._to_offer(program, solution)

    def _program(self, quantity: float) -> Program:
        sources, rules = self.sources, self.rules
        cost = sources[["unit_cost", "overtime_cost", "lane_cost", "holding_cost"]].sum(axis=1).to_numpy()
        slot = pd.MultiIndex.from_frame(sources[["manufacturer_id", "production_week"]])
        columns = {"units": Columns(cost)}
        rows = {
            "quantity": Rows(
                {"units": incidence(np.zeros(len(cost), int), 1)}, np.array([quantity]), equal=True
            ),
            "sources": Rows({"units": diagonal(np.ones(len(cost)))}, sources["units"].to_numpy()),
        }
        if len(rules.share_at_most):
            at_most = rules.share_at_most
            maker = pd.Index(at_most.index).get_indexer(pd.Index(sources["manufacturer_id"]))
            rows["share"] = Rows({"units": incidence(maker, len(at_most))}, at_most.to_numpy())
        for name, fixed, binary_cost in (
            ("active", rules.activation_cost, rules.activation_cost.to_numpy()),
            ("run", rules.batch_at_least, np.zeros(len(rules.batch_at_least))),
        ):
            bound = fixed.index.intersection(slot.unique())
            if bound.empty:
                continue
            at = fixed.index.get_indexer(bound)
            row = bound.get_indexer(slot)
            units = incidence(row, len(bound))
            columns[name] = Columns(binary_cost[at], binary=True)
            none = np.zeros(len(bound))
            rows[f"{name}_at_most"] = Rows(
                {"units": units, name: diagonal(np.full(len(bound), -quantity))}, none
            )
            if name == "run":
                least = np.ceil(fixed.to_numpy()[at] - _TOLERANCE)
                rows["run_at_least"] = Rows({"units": -units, name: diagonal(least)}, none)
        return assemble(columns, rows)

    def _to_offer(self, program: Program, solution: Solution) -> Offer:
        units = solution.x[program.columns["units"]]
        some = units > _TOLERANCE
        taken = self.sources[some].assign(quantity=units[some])
        taken["overtime_quantity"] = taken["overtime_share"] * taken["quantity"]
        costs = {"production_cost": "unit_cost"} | {
            c: c for c in ("overtime_cost", "lane_cost", "holding_cost")
        }
        for name, of_unit in costs.items():
            taken[name] = taken[of_unit] * taken["quantity"]
        key = ["manufacturer_id", "production_week", "arrival_week"]
        amounts = ["quantity", "overtime_quantity", *costs]
        lines = taken.groupby(key, dropna=False, sort=False)[amounts].sum().reset_index()
        lines = lines.sort_values(["arrival_week", "manufacturer_id"], na_position="first")
        activation = 0.0
        if "active" in program.columns:
            at = program.columns["active"]
            activation = float(program.c[at] @ np.round(solution.x[at]))
        return Offer(
            self.week,
            tuple(_line(row) for row in lines.itertuples(index=False)),
            activation,
            float(program.c @ solution.x),
            certify(program, solution),
        )


def _line(row: Any) -> OfferLine:
    from_stock = pd.isna(row.production_week)
    return OfferLine(
        manufacturer_id=None if from_stock else row.manufacturer_id,
        production_week=None if from_stock else row.production_week.date(),
        arrival_week=row.arrival_week.date(),
        quantity=row.quantity,
        overtime_quantity=row.overtime_quantity,
        production_cost=row.production_cost,
        overtime_cost=row.overtime_cost,
        lane_cost=row.lane_cost,
        holding_cost=row.holding_cost,
    )
