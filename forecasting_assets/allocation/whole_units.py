"""Whole units: amounts of a plan are rounded so that totals are kept and no manufacturer works over its hours."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import Instance

#: Amounts this close to a whole number are whole: the tolerance of the solver.
WHOLE = 1e-6


def whole_quantities(instance: Instance, rows: pd.DataFrame, limit: np.ndarray) -> np.ndarray:
    """Round the rows of a plan to whole units.

    Every amount is rounded to a neighbouring whole number, from the top down: first what a manufacturer makes of a
    category in a week (a batch), then what of it goes to each region (a lot), then what of that serves each part and
    due week. What a batch has beyond the whole units of its lots goes to the largest remainders (Hamilton's method),
    and likewise below. Remainders are carried from week to week, so that totals over the weeks are kept as well:
    those of a manufacturer and category to half a unit, unless its hours are full.

    Parameters
    ----------
    instance
        The problem as tables.
    rows
        batch, part_id, region, quantity (units, exact).
    limit
        Hours that may be worked in each slot, (slots,); at least those of the exact amounts.

    Returns
    -------
    ndarray
        Whole units of each row, (rows,), which differ from the exact ones by less than 1.

    References
    ----------
    Balinski, M. L. and Young, H. P. (2001). Fair Representation, chapter 3.
    """
    slot, hours = (instance.batches[c].to_numpy() for c in ("slot", "hours_per_unit"))
    quantity, batch = rows["quantity"].to_numpy(float), rows["batch"].to_numpy(int)
    lot = rows.groupby(["batch", "region"]).ngroup().to_numpy()
    week = instance.slots["production_week"].to_numpy()[slot[batch]]
    batches, lots, parts = _carried_by(instance, rows)
    whole = np.zeros(len(rows))
    for now in np.unique(week):
        at = np.flatnonzero(week == now)
        _, lot_row, lot_of_row = np.unique(lot[at], return_index=True, return_inverse=True)
        of_batch, batch_row, batch_of_row = np.unique(batch[at], return_index=True, return_inverse=True)
        batch_of_lot = batch_of_row[lot_row]
        by_row = _Amounts.of(quantity[at], parts, at)
        by_lot = _Amounts.of(np.bincount(lot_of_row, quantity[at]), lots, at[lot_row], by_row, lot_of_row)
        by_batch = _Amounts.of(
            np.bincount(batch_of_row, quantity[at]), batches, at[batch_row], by_lot, batch_of_lot
        )
        units = by_batch.rounded_within(limit, slot[of_batch], hours[of_batch])
        units = by_lot.apportioned(units, batch_of_lot)
        whole[at] = by_row.apportioned(units, lot_of_row)
    return whole


@dataclass(frozen=True)
class _Carried:
    """By how much the exact amounts of an account were above the whole ones so far; `account` of each row."""

    account: np.ndarray
    owed: np.ndarray


@dataclass(frozen=True)
class _Amounts:
    """Amounts of one week that are rounded: exact, the whole units below them, and what is owed from weeks before."""

    exact: np.ndarray
    floor: np.ndarray
    carried: _Carried
    account: np.ndarray

    @classmethod
    def of(
        cls,
        exact: np.ndarray,
        carried: _Carried,
        row: np.ndarray,
        shares: "_Amounts | None" = None,
        of_share: np.ndarray | None = None,
    ) -> "_Amounts":
        """Return the amounts of the accounts of rows; each is the sum of `shares`, whose amount is `of_share`."""
        floor = np.floor(exact + WHOLE)
        if shares is not None and of_share is not None:
            # Rounding errors aside, the shares' whole units are never more than those of their sum.
            floor = np.maximum(floor, np.bincount(of_share, shares.floor, minlength=exact.size))
        return cls(exact, floor, carried, carried.account[row])

    @property
    def rest(self) -> np.ndarray:
        """Exact amounts less the whole units below them."""
        return np.asarray(self.exact - self.floor)

    @property
    def wanted(self) -> np.ndarray:
        """The rest with what is owed: the more, the sooner an amount is rounded up."""
        return np.asarray(self.rest + self.carried.owed[self.account])

    def rounded_within(self, limit: np.ndarray, slot: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """Return whole units: amounts that are owed half a unit are rounded up while the hours of their slots last."""
        free = limit - np.bincount(slot, self.floor * hours, minlength=limit.size)
        up = (self.rest > WHOLE) & (self.wanted >= 0.5)
        order = np.lexsort((-self.wanted, slot))
        taken = np.where(up, hours, 0.0)[order]
        until = _running_sums(taken, slot[order])
        up[order] &= until <= free[slot[order]] + WHOLE * hours[order]
        return self._settled(self.floor + up)

    def apportioned(self, totals: np.ndarray, of_total: np.ndarray) -> np.ndarray:
        """Return whole units that add up to totals: the largest remainders are rounded up."""
        extra = totals - np.bincount(of_total, self.floor, minlength=totals.size)
        order = np.lexsort((-self.wanted, self.rest <= WHOLE, of_total))
        rank = _running_sums(np.ones(order.size), of_total[order])
        up = np.zeros(order.size)
        up[order] = rank <= extra[of_total[order]]
        return self._settled(self.floor + up)

    def _settled(self, units: np.ndarray) -> np.ndarray:
        """Carry what is left over; return the units."""
        np.add.at(self.carried.owed, self.account, self.exact - units)
        return units


def _carried_by(instance: Instance, rows: pd.DataFrame) -> tuple[_Carried, _Carried, _Carried]:
    """Return the accounts of batches, lots and parts: what is the same from week to week."""
    batch = rows["batch"].to_numpy(int)
    slot = instance.batches["slot"].to_numpy()[batch]
    by = pd.DataFrame(
        {
            "manufacturer_id": instance.slots["manufacturer_id"].to_numpy()[slot],
            "part_category": instance.batches["part_category"].to_numpy()[batch],
            "region": rows["region"].to_numpy(),
            "part_id": rows["part_id"].to_numpy(),
        }
    )

    def carried(*key: str) -> _Carried:
        account = by.groupby(list(key)).ngroup().to_numpy()
        return _Carried(account, np.zeros(int(account.max(initial=-1)) + 1))

    return (
        carried("manufacturer_id", "part_category"),
        carried("manufacturer_id", "part_category", "region"),
        carried("part_id", "region"),
    )


def _running_sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the sums of the values so far in each group; groups are in order."""
    total = values.cumsum()
    return np.asarray(total - (total - values)[np.searchsorted(group, group)])


def working_limits(instance: Instance, overtime_units: np.ndarray) -> np.ndarray:
    """Return the hours that whole units may take in each slot, (slots,): overtime only where it is planned anyway."""
    slots, batches = instance.slots, instance.batches
    overtime = np.bincount(batches["slot"], overtime_units, minlength=len(slots)) > 0
    return np.asarray(slots["capacity_hours"] + np.where(overtime, slots["overtime_capacity_hours"], 0.0))


def cheapest_overtime(instance: Instance, batch_units: np.ndarray) -> np.ndarray:
    """Return the overtime units of each batch, (batches,): hours over the regular ones, at the least premium."""
    batches, slots = instance.batches, instance.slots
    slot, hours = batches["slot"].to_numpy(), batches["hours_per_unit"].to_numpy()
    load = np.bincount(slot, batch_units * hours, minlength=len(slots))
    over = load - slots["capacity_hours"].to_numpy()
    over = np.where(over > WHOLE * load, over, 0.0)
    order = np.lexsort((batches["overtime_cost"].to_numpy() / hours, slot))
    worked = (batch_units * hours)[order]
    before = _running_sums(worked, slot[order]) - worked
    overtime = np.zeros(len(batches))
    overtime[order] = np.clip(over[slot[order]] - before, 0.0, worked) / hours[order]
    return overtime
