"""Fixed production as part of a problem and of its plan: hours taken, demand served, and rows of the plan.

The program decides about the hours and the demand that fixed production leaves. `FixedProduction.add_to` puts both
together as one plan, `FixedProduction.remove_from` takes them apart again for the checks.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.commitments import Commitments, resolve_commitments
from forecasting_assets.allocation.comparison import PlanClaim
from forecasting_assets.allocation.instance import COST_PARTS, LOT, Instance
from forecasting_assets.allocation.netting import Netting
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.plan import ROUNDING_TOLERANCE, AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.tables import ALLOCATION_PLAN, SERIES
from forecasting_assets.tables.frames import stack
from forecasting_assets.weeks import weeks_since

_KEY = [*ALLOCATION_PLAN.key, "part_category"]
_AMOUNTS = ["quantity", "locked_quantity", "overtime_quantity", "cost", *COST_PARTS]


@dataclass(frozen=True)
class FixedProduction:
    """Production that is fixed before optimisation.

    Attributes
    ----------
    rows
        Its rows in the columns of ALLOCATION_PLAN; locked_quantity is all of quantity.
    regular_hours, overtime_hours, activation_cost
        Hours that it takes of each slot, and the fixed cost of using the slot, (slots,).
    batch_units
        Units of each batch, (batches,).
    own_supply
        part_id, region, week, quantity: units in stock and on their way that are not reserved for promises.
    supply
        The same with the units of locks: all that serves demand before anything else is made.
    promised
        Units of each part of the instance that promises serve, (parts,).
    report
        What of each commitment stands, in the columns `commitments.REPORT`.
    """

    rows: pd.DataFrame
    regular_hours: np.ndarray
    overtime_hours: np.ndarray
    activation_cost: np.ndarray
    batch_units: np.ndarray
    own_supply: pd.DataFrame
    supply: pd.DataFrame
    promised: np.ndarray
    report: pd.DataFrame

    @property
    def reserved(self) -> pd.DataFrame:
        """Units of the supply that are reserved for promises: part_id, region, quantity."""
        kept = self.report[self.report["manufacturer_id"] == ""]
        return kept[SERIES].assign(quantity=kept["planned"])

    def reduced(self, instance: Instance) -> Instance:
        """Return the problem that is left, with the units and hours that rules have to count."""
        slots, batches = instance.slots, instance.batches
        return replace(
            instance,
            parts=instance.parts.assign(promised=self.promised),
            slots=slots.assign(
                capacity_hours=slots["capacity_hours"] - self.regular_hours,
                overtime_capacity_hours=slots["overtime_capacity_hours"] - self.overtime_hours,
                locked_hours=self.regular_hours + self.overtime_hours,
                locked_regular_hours=self.regular_hours,
            ),
            batches=batches.assign(locked_quantity=self.batch_units),
        )

    def reduced_state(self, state: PlanningState) -> PlanningState:
        """Return the state with the units that serve demand, and without the fixed units of the previous plan."""
        return replace(state, supply=self.supply, previous=self._not_fixed(state.previous))

    def _not_fixed(self, previous: pd.DataFrame | None) -> pd.DataFrame | None:
        """Return what the previous plan makes of each lot beyond what is fixed, as rows of it."""
        if previous is None or previous.empty:
            return previous
        lots = previous.groupby(LOT)["quantity"].sum()
        fixed = self.rows.groupby(LOT)["quantity"].sum().reindex(lots.index).fillna(0.0)
        return (lots - fixed).clip(lower=0.0).reset_index()

    def add_to(self, plan: AllocationPlan) -> AllocationPlan:
        """Return a plan of the reduced problem together with the fixed production."""
        load, spent = plan.capacity_load, self._cost()
        added = sum(spent.values())
        totals: dict[str, float] = {
            name: plan.cost[name] + added for name in ("total", "published_total") if name in plan.cost
        }
        parts = {part: plan.cost[part] + amount for part, amount in spent.items()}
        return replace(
            plan,
            plan=_summed([plan.plan, self.rows]),
            capacity_load=load.assign(
                **{name: load[name] + hours for name, hours in self._added_load().items()}
            ),
            cost={**plan.cost, **parts, **totals},
        )

    def remove_from(self, plan: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of ALLOCATION_PLAN without the fixed production.

        Rows of which nothing is left are dropped; a row with fewer units than are fixed keeps a negative quantity.
        """
        removed = self.rows.assign(**{name: -self.rows[name] for name in _AMOUNTS})
        rest = _summed([plan, removed])
        scale = _summed([plan, self.rows])["quantity"]
        # A sum of fractions less one of them can miss a whole number by a rounding error.
        nearest = rest["quantity"].round()
        is_whole = (rest["quantity"] - nearest).abs() <= ROUNDING_TOLERANCE * scale
        rest["quantity"] = nearest.where(is_whole, rest["quantity"])
        return rest[rest["quantity"] != 0].reset_index(drop=True)

    def remove_from_load(self, load: pd.DataFrame) -> pd.DataFrame:
        """Return CAPACITY_LOAD without the fixed production."""
        load = load.sort_values(["manufacturer_id", "production_week"], ignore_index=True)
        return load.assign(**{name: load[name] - amount for name, amount in self._added_load().items()})

    def remove_from_claim(self, claim: PlanClaim) -> PlanClaim:
        """Return the tables and the cost of a plan without the fixed production."""
        spent = self._cost()
        spent["total"] = sum(spent.values())
        return replace(
            claim,
            plan=self.remove_from(claim.plan),
            capacity_load=self.remove_from_load(claim.capacity_load),
            cost={part: amount - spent.get(part, 0.0) for part, amount in claim.cost.items()},
        )

    def _cost(self) -> dict[str, float]:
        """Return what the fixed production costs, by part."""
        cost = {part: float(self.rows[part].sum()) for part in COST_PARTS}
        return {**cost, "activation_cost": float(self.activation_cost.sum())}

    def _added_load(self) -> dict[str, np.ndarray]:
        """Return what fixed production adds to each column of CAPACITY_LOAD, (slots,)."""
        return {
            "load_hours": self.regular_hours + self.overtime_hours,
            "capacity_hours": self.regular_hours,
            "overtime_hours": self.overtime_hours,
            "overtime_capacity_hours": self.overtime_hours,
            "activation_cost": self.activation_cost,
        }


def fix_production(
    demand: pd.DataFrame, instance: Instance, network: Network, policy: AllocationPolicy, state: PlanningState
) -> FixedProduction | None:
    """Fix what planners have locked and what is held for promises, as far as it can stand.

    Units that are locked serve demand like units on their way: the earliest due week first. Units that serve no demand
    are made to stock, and are due in the week in which they arrive. Units that are held for a promise are due when
    promised.

    Parameters
    ----------
    demand, network, policy, state
        As for `optimal.allocate`.
    instance
        The problem before anything is fixed.

    Returns
    -------
    FixedProduction or None
        None if nothing is locked and nothing is held.
    """
    if not any(table is not None and len(table) for table in (state.locked, state.promised)):
        return None
    found = resolve_commitments(demand, instance, network, state, policy.max_weeks_late)
    items, batches, slots = found.items, instance.batches, instance.slots
    is_lock = (items["kind"] == "lock").to_numpy(bool)
    arriving = items[is_lock].rename(columns={"arrival_week": "week"})[found.supply.columns]
    supply = pd.concat([found.supply, arriving], ignore_index=True) if len(arriving) else found.supply
    promised = _promised(found, instance)
    netting = replace(instance.netting(supply, policy.max_weeks_late), promised=promised)
    served = served_demand(instance, netting)
    due = _due_weeks(items[is_lock].reset_index(drop=True), served, found.supply, policy.whole_units)
    held = items[~is_lock].assign(to_stock=False)
    rows = _plan_rows(pd.concat([held, due] if len(held) else [due], ignore_index=True), instance, policy)
    hours, slot = items["hours_per_unit"].to_numpy(float), items["slot"].to_numpy(int)
    quantity, overtime = (items[c].to_numpy(float) for c in ("quantity", "overtime_quantity"))
    overtime_hours = np.bincount(slot, overtime * hours, minlength=len(slots))
    all_hours = np.bincount(slot, quantity * hours, minlength=len(slots))
    activation = network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    slot_cost = slots["manufacturer_id"].map(activation).to_numpy(float) * policy.activation_costs
    return FixedProduction(
        rows=rows,
        # Hours that fit exactly can exceed capacity by a rounding error.
        regular_hours=np.minimum(all_hours - overtime_hours, slots["capacity_hours"].to_numpy()),
        overtime_hours=np.minimum(overtime_hours, slots["overtime_capacity_hours"].to_numpy()),
        activation_cost=np.where(all_hours > 0, slot_cost, 0.0),
        batch_units=np.bincount(items["batch"].to_numpy(int), quantity, minlength=len(batches)),
        own_supply=found.supply,
        supply=supply,
        promised=promised,
        report=found.report,
    )


def _promised(found: Commitments, instance: Instance) -> np.ndarray:
    """Return the units of each part that promises serve; at most its quantity."""
    key = [*SERIES, "due_week"]
    units = found.promised.set_index(key)["quantity"]
    of_parts = units.reindex(pd.MultiIndex.from_frame(instance.parts[key])).fillna(0.0).to_numpy(float)
    return np.asarray(np.minimum(of_parts, instance.parts["quantity"].to_numpy()))


def served_demand(instance: Instance, netting: Netting) -> pd.DataFrame:
    """Return which units serve which demand: part_id, region, week (of arrival), due_week, quantity, in order."""
    parts = instance.parts
    served = netting.served(parts["quantity"].to_numpy())
    rows = parts.iloc[served["row"]][[*SERIES, "due_week"]].reset_index(drop=True)
    first = instance.slots["production_week"].min() if len(instance.slots) else parts["due_week"].min()
    week = first + pd.to_timedelta((served["week"] - netting.first) * 7, unit="D")
    return rows.assign(week=week, quantity=served["quantity"])


def _whole(amounts: np.ndarray, item: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Round amounts to whole units by largest remainder, where the total of their item is whole."""
    units = np.floor(amounts + ROUNDING_TOLERANCE)
    extra = np.round(totals - np.bincount(item, units, minlength=totals.size))
    order = np.lexsort((units - amounts, item))
    rank = pd.Series(item[order]).groupby(item[order]).cumcount().to_numpy()
    units[order] += rank < extra[item[order]]
    return np.where((totals == np.round(totals))[item], units, amounts)


def _due_weeks(
    items: pd.DataFrame, served: pd.DataFrame, supply: pd.DataFrame, whole_units: bool
) -> pd.DataFrame:
    """Split locked items by the demand that they serve, and mark those that are made to stock.

    Of units that arrive in the same week, those of the supply are used first, then those of the locks in their order.

    Parameters
    ----------
    items
        Locked items, in the columns of `Commitments.items`.
    served
        The result of `served_demand`.
    supply
        Units that are used before those of locks: part_id, region, week, quantity.
    whole_units
        Whether what a whole number of units serves is rounded to whole units.
    """
    cell = [*SERIES, "week"]
    units = items.rename(columns={"arrival_week": "week"})[[*cell, "quantity"]]
    own = supply.groupby(cell)["quantity"].sum()
    before = own.reindex(pd.MultiIndex.from_frame(units[cell])).fillna(0.0).to_numpy()
    end = before + units.groupby(cell)["quantity"].cumsum().to_numpy()
    units = units.assign(item=np.arange(len(units)), begin=end - units["quantity"], end=end)
    served = served.assign(end=served.groupby(cell)["quantity"].cumsum())
    served["begin"] = served["end"] - served["quantity"]
    both = units.merge(served, on=cell, suffixes=("", "_served"))
    amount = np.minimum(both["end"], both["end_served"]) - np.maximum(both["begin"], both["begin_served"])
    both = both.assign(amount=amount)[amount > ROUNDING_TOLERANCE * both["quantity"]]
    used = np.bincount(both["item"], both["amount"], minlength=len(items))
    rest = np.where(
        items["quantity"] - used > ROUNDING_TOLERANCE * items["quantity"], items["quantity"] - used, 0.0
    )
    item = np.concatenate([both["item"].to_numpy(int), np.flatnonzero(rest)])
    amounts = np.concatenate([both["amount"].to_numpy(), rest[rest > 0]])
    due = pd.concat([both["due_week"], items["arrival_week"][rest > 0]], ignore_index=True)
    rows = items.iloc[item].reset_index(drop=True)
    if whole_units:
        amounts = _whole(amounts, item, items["quantity"].to_numpy())
    share = amounts / rows["quantity"]
    to_stock = np.arange(len(rows)) >= len(both)
    rows = rows.assign(
        to_stock=to_stock,
        due_week=due,
        quantity=amounts,
        overtime_quantity=rows["overtime_quantity"] * share,
    )
    return rows[rows["quantity"] > 0].reset_index(drop=True)


def _plan_rows(items: pd.DataFrame, instance: Instance, policy: AllocationPolicy) -> pd.DataFrame:
    """Return items with due weeks as rows of ALLOCATION_PLAN, with their costs."""
    key = [*SERIES, "due_week"]
    parts = instance.parts
    part = pd.MultiIndex.from_frame(parts[key]).get_indexer(pd.MultiIndex.from_frame(items[key]))
    # Units that are made to stock are never late: no demand waits for them.
    part = np.where(items["to_stock"].to_numpy(bool), -1, part)
    value = np.append(instance.classes["unit_value"].to_numpy()[parts["class"]], 0.0)[part]
    quantity, rate = items["quantity"], items["on_time_rate"].to_numpy(float)
    late = weeks_since(items["due_week"].to_numpy(), items["arrival_week"])
    weeks_late = rate * np.maximum(late, 0) + (1 - rate) * np.maximum(late + 1, 0)
    production = quantity * items["unit_cost"]
    rows = items.assign(
        locked_quantity=quantity,
        production_cost=production,
        overtime_cost=items["overtime_quantity"] * items["overtime_unit_cost"],
        lane_cost=quantity * items["lane_unit_cost"],
        holding_cost=policy.keeping_cost * np.maximum(-late, 0) * production,
        lateness_cost=policy.lateness_penalty * weeks_late * value * quantity,
    )
    return _summed([rows.assign(cost=rows[COST_PARTS].sum(axis=1))])


def _summed(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of ALLOCATION_PLAN tables together, one for each key."""
    rows = stack([table[ALLOCATION_PLAN.names] for table in tables])
    rows = rows.astype(dict.fromkeys(_AMOUNTS, float))
    return rows.groupby(_KEY, as_index=False)[_AMOUNTS].sum()[ALLOCATION_PLAN.names]
