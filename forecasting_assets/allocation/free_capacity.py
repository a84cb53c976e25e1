"""What a plan leaves for new inquiries, and what an offer takes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.commitments import usable_supply
from forecasting_assets.allocation.fixed_production import served_demand
from forecasting_assets.allocation.held import reserve_supply
from forecasting_assets.allocation.instance import SLOT, Instance
from forecasting_assets.allocation.network import Network
from forecasting_assets.tables import SERIES
from forecasting_assets.tables.frames import category_of, stack

#: Fewer units are rounding errors.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Inquiry:
    """A customer's question whether units of a part can be delivered to a region.

    Attributes
    ----------
    part_id, region
        Part, and region of delivery.
    quantity
        Units, above 0.
    by
        Monday of the latest week of delivery; None if any week will do.
    """

    part_id: str
    region: str
    quantity: float
    by: date | None = None


@dataclass(frozen=True)
class OfferLine:
    """Units of an offer from one manufacturer and week, or from stock.

    Attributes
    ----------
    manufacturer_id, production_week
        Who makes the units, and when; None for units in stock or already on their way.
    arrival_week
        Week in which they are available in the region.
    quantity, overtime_quantity
        Units, and those among them that are made in overtime.
    production_cost, overtime_cost, lane_cost, holding_cost
        Costs of these units. Units in stock are paid for: they cost nothing more.
    """

    manufacturer_id: str | None
    production_week: date | None
    arrival_week: date
    quantity: float
    overtime_quantity: float
    production_cost: float
    overtime_cost: float
    lane_cost: float
    holding_cost: float


@dataclass(frozen=True)
class Offer:
    """A delivery of all units of an inquiry.

    Attributes
    ----------
    week
        Week of delivery, in which all units are in the region.
    lines
        Where the units come from.
    activation_cost
        Fixed cost of manufacturers that the plan does not use in these weeks.
    cost
        Cost of all lines, and of activation.
    certificate
        Proof that no delivery in this week is cheaper.
    """

    week: date
    lines: tuple[OfferLine, ...]
    activation_cost: float
    cost: float
    certificate: Certificate


@dataclass(frozen=True)
class FreeCapacity:
    """What a plan leaves for new inquiries.

    Attributes
    ----------
    slots
        manufacturer_id, production_week, regular_hours, overtime_hours (both left), is_used (whether anything is made).
    stock
        part_id, region, week, quantity: units in stock and on their way that no demand uses.
    made
        manufacturer_id, production_week, part_category, quantity: units planned and promised.
    wanted
        part_category -> units of demand over the horizon, with what was promised.
    """

    slots: pd.DataFrame
    stock: pd.DataFrame
    made: pd.DataFrame
    wanted: Mapping[str, float]

    @classmethod
    def of_plan(
        cls,
        plan: pd.DataFrame,
        load: pd.DataFrame,
        shortages: pd.DataFrame,
        stock: pd.DataFrame,
        demand: pd.DataFrame,
    ) -> "FreeCapacity":
        """Return what a plan leaves.

        Parameters
        ----------
        plan, load, shortages
            ALLOCATION_PLAN, CAPACITY_LOAD and PLAN_SHORTAGES.
        stock
            The result of `unused_supply`.
        demand
            part_id, region and part_category of everything with demand.
        """
        in_regular = load["load_hours"] - load["overtime_hours"]
        slots = load[SLOT].assign(
            regular_hours=(load["capacity_hours"] - in_regular).clip(lower=0.0),
            overtime_hours=(load["overtime_capacity_hours"] - load["overtime_hours"]).clip(lower=0.0),
            is_used=load["load_hours"] > 0,
        )
        short = shortages["quantity"].groupby(category_of(shortages, demand)).sum()
        wanted = plan.groupby("part_category")["quantity"].sum().add(short, fill_value=0.0)
        made = plan.groupby([*SLOT, "part_category"])["quantity"].sum().reset_index()
        return cls(slots, stock, made, {str(category): float(units) for category, units in wanted.items()})

    def without_promises(self, promises: pd.DataFrame, network: Network) -> "FreeCapacity":
        """Return what is left when promises that the plan does not know are kept.

        Regular hours are used before overtime.

        Parameters
        ----------
        promises
            PROMISES.
        network
            The network.
        """
        from_stock = promises["manufacturer_id"].isna() | (promises["manufacturer_id"] == "")
        _, stock = reserve_supply(promises[from_stock], self.stock)
        made = promises[~from_stock].merge(
            network.capabilities[["manufacturer_id", "part_category", "hours_per_unit"]],
            on=["manufacturer_id", "part_category"],
        )
        hours = (made["quantity"] * made["hours_per_unit"]).groupby([made[c] for c in SLOT]).sum()
        taken = hours.reindex(pd.MultiIndex.from_frame(self.slots[SLOT])).fillna(0.0).to_numpy()
        regular = self.slots["regular_hours"].to_numpy()
        in_overtime = np.maximum(taken - regular, 0.0)
        slots = self.slots.assign(
            regular_hours=np.maximum(regular - taken, 0.0),
            overtime_hours=np.maximum(self.slots["overtime_hours"] - in_overtime, 0.0),
            is_used=self.slots["is_used"] | (taken > 0),
        )
        units = promises.groupby("part_category")["quantity"].sum()
        wanted = pd.Series(dict(self.wanted), dtype=float).add(units, fill_value=0.0)
        tables = [table for table in (self.made, made[list(self.made)]) if len(table)]
        return FreeCapacity(
            slots,
            stock,
            pd.concat(tables, ignore_index=True) if tables else self.made,
            {str(category): float(amount) for category, amount in wanted.items()},
        )

    def without(self, inquiry: Inquiry, category: str, offer: Offer, network: Network) -> "FreeCapacity":
        """Return what is left when an offer has been accepted."""
        hours_of = network.capabilities.set_index(["manufacturer_id", "part_category"])["hours_per_unit"]
        slots, stock = self.slots.copy(), self.stock.copy()
        made = []
        for line in offer.lines:
            if line.manufacturer_id is None:
                key = {"part_id": inquiry.part_id, "region": inquiry.region, "week": line.arrival_week}
                stock.loc[_rows(stock, key), "quantity"] -= line.quantity
                continue
            key = {"manufacturer_id": line.manufacturer_id, "production_week": line.production_week}
            at, hours = _rows(slots, key), hours_of[line.manufacturer_id, category]
            slots.loc[at, "overtime_hours"] -= line.overtime_quantity * hours
            slots.loc[at, "regular_hours"] -= (line.quantity - line.overtime_quantity) * hours
            slots.loc[at, "is_used"] = True
            made.append({**key, "part_category": category, "quantity": line.quantity})
        rows = pd.DataFrame(made, columns=list(self.made))
        rows["production_week"] = pd.to_datetime(rows["production_week"]).astype("datetime64[ns]")
        return FreeCapacity(
            # Hours that fit exactly can be exceeded by a rounding error.
            slots.assign(**{c: slots[c].clip(lower=0) for c in ("regular_hours", "overtime_hours")}),
            stock,
            stack([self.made, rows]),
            {**self.wanted, category: self.wanted.get(category, 0.0) + inquiry.quantity},
        )


def _rows(table: pd.DataFrame, key: Mapping[str, object]) -> pd.Series:
    found = pd.Series(True, table.index)
    for column, value in key.items():
        found &= table[column] == (pd.Timestamp(value) if isinstance(value, date) else value)
    return found


def unused_supply(instance: Instance, supply: pd.DataFrame | None, max_weeks_late: int) -> pd.DataFrame:
    """Return the units in stock and on their way that no demand uses.

    Parameters
    ----------
    instance
        The problem with the demand that is planned for, before supply serves it.
    supply
        part_id, region, week, quantity, as in `PlanningState`.
    max_weeks_late
        Weeks that demand may be met late.

    Returns
    -------
    DataFrame
        part_id, region, week, quantity.
    """
    key = [*SERIES, "week"]
    available = usable_supply(supply, instance)
    served = (
        served_demand(instance, instance.netting(available, max_weeks_late)).groupby(key)["quantity"].sum()
    )
    used = served.reindex(pd.MultiIndex.from_frame(available[key])).fillna(0.0).to_numpy()
    left = available.assign(quantity=available["quantity"] - used)
    return left[left["quantity"] > _TOLERANCE].reset_index(drop=True)
