"""What no policy can beat: the least cost of some weeks if all of their orders had been known from the beginning.

An information relaxation: decisions may use the orders of all weeks, any order may be served first, and parts of a
category and region serve each other at the lowest costs among them. Every policy that begins in the same position, and
ends with no more units of a category and region in stock and on their way than the one it is compared with, costs at
least as much. Orders that are still overdue at the end cost it the weeks that they have been overdue by then, as they
cost every policy.

References
----------
Brown, D. B., Smith, J. E. and Sun, P. (2010). Information Relaxations and Duality in Stochastic Dynamic Programs.
Operations Research 58(4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import CATEGORY_REGION, capabilities_of, ways_to_serve
from forecasting_assets.allocation.network import weekly_capacity
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import Columns, Rows, assemble, incidence, solve
from forecasting_assets.allocation.rolling import Market
from forecasting_assets.allocation.supply import Position
from forecasting_assets.weeks import weeks_since


@dataclass(frozen=True)
class _Pool:
    """Market and positions by class, a category and region (C classes); T weeks.

    Attributes
    ----------
    ordered
        Units wanted, (C, weeks before + T): the first weeks are those of orders that are overdue at the beginning.
    arriving
        Units that arrive from before the beginning, (C, T); the stock at the beginning is in the first week.
    limit
        Units in stock and on their way that may be left at the end, (C,).
    unit_cost, lateness_cost, shortage_cost
        Least of the series of a class, (C,); lateness_cost is that of a unit and week.
    late
        Weeks that an order may be late.
    """

    ordered: np.ndarray
    arriving: np.ndarray
    limit: np.ndarray
    unit_cost: np.ndarray
    lateness_cost: np.ndarray
    shortage_cost: np.ndarray
    late: int


def lower_bound(weeks: Sequence[date], market: Market, begin: Position, end: Position) -> float:
    """Return what `weeks` cost at least, by the costs of `rolling.carry_out`.

    Parameters
    ----------
    weeks
        Consecutive weeks whose orders are known.
    market
        Orders, network and policy.
    begin
        Position before the first week.
    end
        Position after the last week under the policy that is compared with the bound; it limits what may be left.
    """
    if not weeks:
        return 0.0
    classes, pool = _pooled(weeks, market, begin, end)
    capacity = weekly_capacity(market.network, weeks)
    solution = solve(
        assemble(*_program(pool, _production(classes, capacity, market), capacity, market.policy))
    )
    # The value of the position at the beginning; what arrives after the last week has it at the end too.
    units = begin.stock + begin.arriving[:, : len(weeks)].sum(axis=1) - begin.overdue.sum(axis=1)
    value = float(market.series["unit_cost"].to_numpy() @ units)
    # The program charges orders for all weeks that they are late; those before the beginning are no cost of `weeks`.
    return solution.bound + value - market.lateness(begin)


def _pooled(
    weeks: Sequence[date], market: Market, begin: Position, end: Position
) -> tuple[pd.DataFrame, _Pool]:
    """Return the classes of a market, and its positions and orders by class."""
    class_ = market.series.groupby(CATEGORY_REGION).ngroup().to_numpy()
    count, late = int(class_.max(initial=-1)) + 1, market.policy.max_weeks_late

    def added(units: np.ndarray) -> np.ndarray:
        total = np.zeros((count, *units.shape[1:]))
        np.add.at(total, class_, units)
        return total

    arriving = added(begin.arriving)[:, : len(weeks)]
    arriving[:, 0] += added(begin.stock)
    orders = np.column_stack([market.ordered(week) for week in weeks])
    least = market.series.groupby(class_)[["unit_cost", "lateness_cost", "shortage_cost"]].min()
    return market.series.groupby(class_)[CATEGORY_REGION].first(), _Pool(
        ordered=np.hstack([added(begin.overdue)[:, :late][:, ::-1], added(orders)]),
        arriving=arriving,
        # Units from before the beginning that arrive after the last week are left whatever is decided.
        limit=added(end.stock + end.arriving.sum(axis=1) - begin.arriving[:, len(weeks) :].sum(axis=1)),
        unit_cost=least["unit_cost"].to_numpy(),
        lateness_cost=least["lateness_cost"].to_numpy(),
        shortage_cost=least["shortage_cost"].to_numpy(),
        late=late,
    )


def _production(classes: pd.DataFrame, capacity: pd.DataFrame, market: Market) -> pd.DataFrame:
    """Return a row for each way to make a class in a week, in regular hours and in overtime.

    Columns: class, week (counted from 0), slot (row of `capacity`), hours and cost of a unit, overtime (bool),
    transit_weeks and on_time_rate.
    """
    capabilities = capabilities_of(market.network)
    ways = ways_to_serve(classes, capabilities, market.network.lanes)
    made_by = capabilities.iloc[ways["capability"]].reset_index(drop=True)
    ways = ways.assign(manufacturer_id=made_by["manufacturer_id"], hours=made_by["hours_per_unit"])
    weeks = weeks_since(capacity["production_week"].min(), capacity["production_week"])
    slots = capacity[["manufacturer_id"]].assign(week=weeks, slot=np.arange(len(capacity)))
    each = ways.merge(slots, on="manufacturer_id")
    regular = each.assign(cost=each["unit_cost"] + each["lane_cost"], overtime=False)
    premium = each["unit_cost"] * each["overtime_premium"]
    return pd.concat(
        [regular, regular.assign(cost=regular["cost"] + premium, overtime=True)], ignore_index=True
    )


def _program(
    pool: _Pool, production: pd.DataFrame, capacity: pd.DataFrame, policy: AllocationPolicy
) -> tuple[dict[str, Columns], dict[str, Rows]]:
    """Return the families of columns (made, delivered, unmet, stock) and of rows of the relaxation."""
    classes, count = pool.arriving.shape
    late = pool.late
    made_class, made_week = production["class"].to_numpy(), production["week"].to_numpy(int)
    uc = pool.unit_cost[made_class]
    transit, rate = production["transit_weeks"].to_numpy(int), production["on_time_rate"].to_numpy()

    # Orders by class and due week (the first `late` are overdue at the beginning), delivered up to `late` weeks later.
    dues = late + count
    order = np.arange(classes * dues)
    due = order % dues - late
    of_order, age = np.repeat(order, late + 1), np.tile(np.arange(late + 1), order.size)
    delivery = due[of_order] + age
    possible = (delivery >= 0) & (delivery < count)
    of_order, age, delivery = of_order[possible], age[possible], delivery[possible]
    order_class = order // dues
    # An order is given up if that is within the weeks; otherwise it is still overdue, costs the weeks that it has been
    # overdue, and lowers the value of the position.
    overdue_cost = pool.unit_cost[order_class] + pool.lateness_cost[order_class] * (count - due)
    unmet_cost = np.where(due + late < count, pool.shortage_cost[order_class], overdue_cost)
    cells = classes * count
    cell_class, cell_week = np.arange(cells) // count, np.arange(cells) % count
    keeping = policy.keeping_cost * pool.unit_cost[cell_class]
    left_value = np.where(cell_week == count - 1, pool.unit_cost[cell_class], 0.0)

    # Units on their way after the last week keep their value.
    arrives = [(transit, rate), (transit + 1, 1 - rate)]
    later = sum(share * (made_week + weeks >= count) for weeks, share in arrives)
    columns = {
        "made": Columns(production["cost"].to_numpy() - uc * later),
        "delivered": Columns(age * pool.lateness_cost[order_class[of_order]]),
        "unmet": Columns(unmet_cost),
        "stock": Columns(keeping - left_value),
    }
    made_arrives = sum(
        incidence(
            np.where(made_week + weeks < count, made_class * count + made_week + weeks, -1), cells, share
        ).tocsr()
        for weeks, share in arrives
    )
    carried = np.where(cell_week < count - 1, np.arange(cells) + 1, -1)
    last = np.where(cell_week == count - 1, cell_class, -1)
    overtime = production["overtime"].to_numpy(bool)
    slot, hours = production["slot"].to_numpy(), production["hours"].to_numpy()
    rows = {
        "orders": Rows(
            {"delivered": incidence(of_order, order.size), "unmet": incidence(order, order.size)},
            pool.ordered.ravel(),
            equal=True,
        ),
        "stock": Rows(
            {
                "stock": incidence(np.arange(cells), cells) - incidence(carried, cells),
                "made": -made_arrives.tocoo(),
                "delivered": incidence(order_class[of_order] * count + delivery, cells),
            },
            pool.arriving.ravel(),
            equal=True,
        ),
        "regular": Rows(
            {"made": incidence(np.where(overtime, -1, slot), len(capacity), hours)},
            capacity["capacity_hours"].to_numpy(),
        ),
        "overtime": Rows(
            {"made": incidence(np.where(overtime, slot, -1), len(capacity), hours)},
            capacity["overtime_capacity_hours"].to_numpy(),
        ),
        "left": Rows(
            {"stock": incidence(last, classes), "made": incidence(made_class, classes, later)}, pool.limit
        ),
    }
    return columns, rows
