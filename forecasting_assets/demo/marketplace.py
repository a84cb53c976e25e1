"""Generate the synthetic marketplace in memory, or write it as a landing zone.

Examples
--------
write_marketplace(Path(".forecasting"), Marketplace())
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from forecasting_assets.demo.demand import Demand, expected_demand
from forecasting_assets.demo.dirt import MAX_DELAY, landed_rows
from forecasting_assets.demo.files import file_plan, write_file
from forecasting_assets.demo.market import Marketplace
from forecasting_assets.demo.network import build_network, write_network
from forecasting_assets.demo.orders import order_lines
from forecasting_assets.demo.planning import planning_files, write_planning
from forecasting_assets.tables import REJECTION_REASONS

#: Columns of clean lines after cleaning.
TRUTH = [
    "order_id",
    "order_date",
    "part_id",
    "part_category",
    "region",
    "quantity",
    "unit_price",
    "line_id",
    "due_date",
]

#: Columns of `landed_rows` that say where a row lands; they are not in the files.
_ROUTING = ["landing_week", "file", "reason"]


@dataclass(frozen=True)
class GeneratedOrders:
    """Orders in memory.

    Attributes
    ----------
    orders
        Every landed row as text, with week (Monday it belongs to), landing_week, file and reason.
    truth
        Rows that must remain after cleaning, in the columns TRUTH, typed; due_date is NaT where there is none.
    injected
        Number of rows to be rejected: a row for each week, a column for each reason.
    """

    orders: pd.DataFrame
    truth: pd.DataFrame
    injected: pd.DataFrame


@dataclass(frozen=True)
class WrittenOrders:
    """What is known about order files that were written.

    Attributes
    ----------
    files
        Number of files.
    weekly
        Number of rows by week (Monday): landed, clean and each rejection reason; landed is the sum of all others.
    series
        part_id, part_category and region of every series with a clean row.
    """

    files: int
    weekly: pd.DataFrame
    series: pd.DataFrame


def generate(market: Marketplace) -> GeneratedOrders:
    """Generate all orders of a marketplace in memory."""
    demand = expected_demand(market)
    orders = pd.concat(_landings(demand, range(market.weeks)), ignore_index=True)
    clean = orders[orders["reason"] == ""]
    due_date = clean["due_date"].replace("", None) if market.due_dates else None
    truth = clean.assign(due_date=due_date)[TRUTH].assign(
        due_date=lambda rows: pd.to_datetime(rows["due_date"], format="ISO8601"),
        order_date=pd.to_datetime(clean["order_date"], format="ISO8601", utc=True).dt.tz_localize(None),
        quantity=clean["quantity"].astype(float),
        unit_price=clean["unit_price"].astype(float),
    )
    return GeneratedOrders(orders, truth.reset_index(drop=True), _count(orders)[REJECTION_REASONS])


def write_marketplace(home: Path, market: Marketplace) -> WrittenOrders:
    """Write `landing/orders`, `landing/network` and `landing/planning`; return what is known about the orders."""
    demand = expected_demand(market)
    write_planning(planning_files(demand), home / "landing" / "planning")
    write_network(build_network(demand), home / "landing" / "network")
    return write_orders(home / "landing" / "orders", demand, range(market.weeks))


def write_orders(folder: Path, demand: Demand, weeks: range) -> WrittenOrders:
    """Write the order files of a range of weeks, with one week in memory at a time.

    Consecutive ranges give the same files as one range over all of them, so that several processes can share the
    work; `files` and `weekly` of their results add up.

    Parameters
    ----------
    folder
        Folder of the order files.
    demand
        Expected demand.
    weeks
        Numbers of the weeks, counted from 0.
    """
    market = demand.market
    files, counts, series = 0, [], []
    for landing_week, rows in zip(weeks, _landings(demand, weeks), strict=True):
        counts.append(_count(rows))
        series.append(
            rows.loc[rows["reason"] == "", ["part_id", "part_category", "region"]].drop_duplicates()
        )
        week = market.week(landing_week)
        for number, file in enumerate(file_plan(landing_week)):
            content = rows.loc[rows["file"] == number].drop(columns=["week", *_ROUTING])
            if len(content):
                write_file(content, folder / file.path(week), file.modified(week))
                files += 1
    weekly = pd.concat(counts).groupby(level=0).sum()
    all_series = pd.concat(series).drop_duplicates().sort_values(["part_id", "region"], ignore_index=True)
    return WrittenOrders(files, weekly, all_series)


def _landings(demand: Demand, weeks: range) -> Iterator[pd.DataFrame]:
    """Yield the rows that land in each week, late ones of earlier weeks first."""
    market = demand.market
    waiting = pd.DataFrame()
    for week in range(max(0, weeks.start - MAX_DELAY), weeks.stop):
        rows = landed_rows(order_lines(demand, week), market, week)
        rows = pd.concat([waiting, rows.assign(week=pd.Timestamp(market.week(week)))], ignore_index=True)
        lands = rows["landing_week"] == week
        waiting = rows[~lands]
        if week in weeks:
            landed = rows[lands]
            yield landed.assign(file=landed["file"] % len(file_plan(week)))


def _count(rows: pd.DataFrame) -> pd.DataFrame:
    """Count rows by the week they belong to: landed, clean, and each rejection reason."""
    by_reason = rows.groupby(["week", "reason"]).size().unstack(fill_value=0).rename(columns={"": "clean"})
    by_reason = by_reason.reindex(columns=["clean", *REJECTION_REASONS], fill_value=0)
    by_reason.insert(0, "landed", by_reason.sum(axis=1))
    return by_reason.rename_axis(columns=None)
