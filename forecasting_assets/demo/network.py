"""Manufacturers, capabilities, lanes and exceptional weeks of the marketplace, sized to its expected demand."""

from pathlib import Path

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.demo.demand import Demand
from forecasting_assets.demo.market import NEAR, PROCESSES, REGIONS, SITES, holds_day
from forecasting_assets.tables import CAPABILITIES, CAPACITY_OVERRIDES, LANES, MANUFACTURERS

MEAN_UTILISATION = 0.72
#: Weeks after the end of the history for which exceptional weeks are known.
PLANNED_AHEAD = 26


def build_network(demand: Demand) -> Network:
    """Build a network in which mean demand uses about 72 % of the regular hours, and the yearly peaks all of them."""
    market = demand.market
    rng = market.rng("network")
    lanes, capabilities = _lanes(rng), _capabilities(rng)
    hours = _typical_hours(demand, capabilities)
    n = len(SITES)
    capacity = np.maximum(np.round(hours / MEAN_UTILISATION), 5)
    manufacturers = pd.DataFrame(
        {
            "manufacturer_id": _ids(),
            "region": [region for region, _ in SITES],
            "capacity_hours_per_week": capacity,
            "overtime_hours_per_week": np.round(capacity * rng.uniform(0.12, 0.25, n)),
            "overtime_premium": rng.uniform(0.25, 0.5, n).round(2),
            "on_time_rate": rng.uniform(0.85, 0.99, n).round(3),
            "activation_cost": 0.0,
        }
    )
    frames = {
        MANUFACTURERS: manufacturers,
        CAPABILITIES: capabilities,
        LANES: lanes,
        CAPACITY_OVERRIDES: _capacity_overrides(demand, manufacturers),
    }
    return Network(**{table.name: frame[table.names] for table, frame in frames.items()})


def write_network(network: Network, folder: Path) -> None:
    """Write the CSV files of a network."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in vars(network).items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", date_format="%Y-%m-%d")


def _ids() -> list[str]:
    return [f"M{i:02d}" for i in range(1, len(SITES) + 1)]


def _lanes(rng: np.random.Generator) -> pd.DataFrame:
    names = [r.name for r in REGIONS]
    pairs = [(a, b, 0 if a == b else 1 if frozenset({a, b}) in NEAR else 2) for a in names for b in names]
    lanes = pd.DataFrame(pairs, columns=["from_region", "to_region", "transit_weeks"])
    base = np.array([0.3, 0.8, 2.0])[lanes["transit_weeks"]]
    lanes["unit_cost"] = (base * rng.uniform(0.9, 1.15, len(lanes))).round(2)
    return lanes


def _capabilities(rng: np.random.Generator) -> pd.DataFrame:
    processes = {p.name: p for p in PROCESSES}
    cost_level = {r.name: r.cost_level for r in REGIONS}
    rows = [
        (name, process, processes[process].hours_per_unit, processes[process].unit_cost * cost_level[region])
        for name, (region, site_processes) in zip(_ids(), SITES, strict=True)
        for process in site_processes
    ]
    table = pd.DataFrame(rows, columns=["manufacturer_id", "part_category", "hours_per_unit", "unit_cost"])
    table["hours_per_unit"] = (table["hours_per_unit"] * rng.uniform(0.85, 1.2, len(table))).round(4)
    table["unit_cost"] = (table["unit_cost"] * rng.uniform(0.92, 1.1, len(table))).round(2)
    return table


def _typical_hours(demand: Demand, capabilities: pd.DataFrame) -> np.ndarray:
    """Return the mean hours a week of each manufacturer if those that run a process share its orders equally."""
    category = capabilities["part_category"]
    units = pd.Series(demand.units.mean(axis=0)).groupby(demand.series["part_category"]).sum()
    share = category.map(units).fillna(0) / category.map(category.value_counts())
    hours = (share * capabilities["hours_per_unit"]).groupby(capabilities["manufacturer_id"]).sum()
    return hours.reindex(_ids()).to_numpy()


def _capacity_overrides(demand: Demand, manufacturers: pd.DataFrame) -> pd.DataFrame:
    """Return year-end holidays, a holiday week of APAC in October, and one breakdown of three weeks."""
    market = demand.market
    names, regions = manufacturers["manufacturer_id"], manufacturers["region"]
    share = np.ones((market.weeks + PLANNED_AHEAD, len(manufacturers)))
    for i in range(len(share)):
        week = market.week(i)
        if holds_day(week, 12, 25):
            share[i] = np.where(regions == "APAC", 0.8, 0.4)
        elif holds_day(week, 1, 1):
            share[i] = np.where(regions == "APAC", 0.8, 0.6)
        elif holds_day(week, 10, 2):
            share[i] = np.where(regions == "APAC", 0.5, 1)
    broken = int(market.weeks * 0.8)
    largest = int(manufacturers["capacity_hours_per_week"].argmax())
    share[broken : broken + 3, largest] = np.minimum(share[broken : broken + 3, largest], 0.3)

    week_no, manufacturer = np.nonzero(share < 1)
    hours = share[week_no, manufacturer] * manufacturers["capacity_hours_per_week"].to_numpy()[manufacturer]
    return pd.DataFrame(
        {
            "manufacturer_id": names.to_numpy()[manufacturer],
            "week": pd.to_datetime([market.week(i) for i in week_no.tolist()]),
            "capacity_hours": hours.round(1),
        }
    )
