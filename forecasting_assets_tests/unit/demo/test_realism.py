"""The default marketplace: its size, how predictable its demand is, and whether its network fits."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import linprog

from forecasting_assets.allocation.network import Network
from forecasting_assets.demo import Marketplace, generate
from forecasting_assets.demo.demand import Demand, expected_demand
from forecasting_assets.demo.network import PLANNED_AHEAD, build_network
from forecasting_assets.tables import CAPABILITIES, CAPACITY_OVERRIDES, LANES, MANUFACTURERS, SERIES
from forecasting_assets.weeks import week_of

MARKET = Marketplace()


@dataclass
class Default:
    demand: Demand
    network: Network
    truth: pd.DataFrame

    @property
    def units(self) -> pd.DataFrame:
        """Units ordered: a row for each series, a column for each week number."""
        table = self.truth.pivot_table("quantity", SERIES, "week", "sum", fill_value=0)
        return table.reindex(columns=range(MARKET.weeks), fill_value=0)


@pytest.fixture(scope="module")
def default() -> Default:
    demand = expected_demand(MARKET)
    truth = generate(MARKET).truth
    week = (truth["order_date"] - pd.Timestamp(MARKET.first_week)).dt.days // 7
    return Default(demand, build_network(demand), truth.assign(week=week))


def capacity(network: Network, weeks: int) -> np.ndarray:
    """Return the regular hours with overrides, (manufacturers, weeks)."""
    ids = network.manufacturers["manufacturer_id"].tolist()
    hours = np.repeat(network.manufacturers["capacity_hours_per_week"].to_numpy()[:, None], weeks, axis=1)
    for row in network.capacity_overrides.itertuples():
        week = (pd.Timestamp(str(row.week)) - pd.Timestamp(MARKET.first_week)).days // 7
        if week < weeks:
            hours[ids.index(row.manufacturer_id), week] = row.capacity_hours
    return hours


def utilisation(default: Default) -> pd.Series:
    """Return the mean load of every week relative to the regular hours of a normal week."""
    hours_per_unit = default.network.capabilities.groupby("part_category")["hours_per_unit"].mean()
    load = default.truth["quantity"] * default.truth["part_category"].map(hours_per_unit)
    return (
        load.groupby(default.truth["week"]).sum()
        / default.network.manufacturers["capacity_hours_per_week"].sum()
    )


def test_size(default: Default) -> None:
    assert 150_000 < len(default.truth) < 300_000
    units = default.units
    alive = [(units.iloc[:, max(0, w - 51) : w + 1].sum(axis=1) > 0).sum() for w in range(20, MARKET.weeks)]
    assert min(alive) >= 200
    assert max(alive) <= 350


def test_quantities_are_whole_lots_and_prices_cover_costs(default: Default) -> None:
    truth = default.truth
    assert truth["quantity"].between(1, 500).all()
    assert (truth["quantity"] % 1 == 0).all()
    cost = default.network.capabilities.groupby("part_category")["unit_cost"].mean()
    margin = (truth["unit_price"] / truth["part_category"].map(cost)).groupby(truth["part_id"]).median()
    assert margin.between(1.4, 2.9).all()


def test_life_cycles_and_long_tail(default: Default) -> None:
    ordered = default.units.to_numpy() > 0
    first, last = ordered.argmax(axis=1), MARKET.weeks - 1 - ordered[:, ::-1].argmax(axis=1)
    regular = ordered.sum(axis=1) > 20
    assert (first[regular] > 12).sum() >= 5
    assert (last[regular] < MARKET.weeks - 26).sum() >= 5
    assert 0.2 < (ordered.mean(axis=1) < 0.3).mean() < 0.5
    assert (ordered.mean(axis=1) > 0.95).mean() > 0.25


def test_christmas_dip(default: Default) -> None:
    total = default.units.sum()
    for day in (date(2023, 12, 25), date(2024, 12, 25)):
        christmas = MARKET.week_starts.index(week_of(day))
        assert total[christmas] < 0.6 * total[christmas - 3]


def test_promotions_lift_demand(default: Default) -> None:
    """In a week with a temporarily lower list price, more is sold than in the weeks before and after."""
    price = default.demand.price
    promoted = (price[1:-1] < 0.93 * price[:-2]) & (price[1:-1] < 0.93 * price[2:])
    week, part = np.nonzero(promoted)
    lines = default.truth.pivot_table("order_id", "part_id", "week", "count", fill_value=0)
    lines = lines.reindex(
        default.demand.series["part_id"].unique(), columns=range(MARKET.weeks), fill_value=0
    )
    counts = lines.to_numpy()
    around = (counts[part, week] + counts[part, week + 2]).sum() / 2
    assert len(week) > 200
    assert 1.25 < counts[part, week + 1].sum() / around < 2


def test_seasonal_naive_can_be_beaten_but_noise_is_real(default: Default) -> None:
    units = default.units
    expected = pd.DataFrame(default.demand.units.T, pd.MultiIndex.from_frame(default.demand.series[SERIES]))
    actual, naive = units.iloc[:, 60:].to_numpy(), units.iloc[:, 8:-52].to_numpy()
    best = expected.reindex(units.index).iloc[:, 60:].to_numpy()
    error_naive, error_best = (np.abs(f - actual).sum() / actual.sum() for f in (naive, best))
    assert error_best < 0.75 * error_naive
    assert error_best > 0.25


def test_expected_demand_is_unbiased(default: Default) -> None:
    assert default.units.to_numpy().sum() == pytest.approx(default.demand.units.sum(), rel=0.05)


def test_network_tables_have_the_columns_of_their_contract(default: Default) -> None:
    network = default.network
    tables = {
        MANUFACTURERS: network.manufacturers,
        CAPABILITIES: network.capabilities,
        LANES: network.lanes,
        CAPACITY_OVERRIDES: network.capacity_overrides,
    }
    for contract, table in tables.items():
        assert list(table.columns) == contract.names
        assert not table.duplicated(list(contract.key)).any()
        assert table.notna().all(axis=None)
    assert network.manufacturers["on_time_rate"].between(0.85, 0.99).all()
    assert 12 <= len(network.manufacturers) <= 16
    assert network.capabilities.groupby("manufacturer_id").size().between(1, 3).all()
    assert (
        (network.lanes["transit_weeks"] == 0)
        .eq(network.lanes["from_region"] == network.lanes["to_region"])
        .all()
    )


def test_every_order_can_be_made(default: Default) -> None:
    network = default.network
    capable = network.capabilities.merge(network.manufacturers, on="manufacturer_id")
    routes = capable.merge(network.lanes, left_on="region", right_on="from_region")
    makeable = set(zip(routes["part_category"], routes["to_region"], strict=True))
    assert set(zip(default.truth["part_category"], default.truth["region"], strict=True)) <= makeable
    manufacturers = network.capabilities.groupby("part_category").size()
    assert (manufacturers >= 3).all()


def test_overrides_are_holidays_and_one_breakdown(default: Default) -> None:
    overrides = default.network.capacity_overrides.merge(default.network.manufacturers, on="manufacturer_id")
    assert (overrides["capacity_hours"] < overrides["capacity_hours_per_week"]).all()
    by_week = overrides.groupby("week")["manufacturer_id"].nunique()
    assert (by_week[["2023-12-25", "2024-12-23"]] == len(default.network.manufacturers)).all()
    assert (by_week == 1).sum() == 3
    assert pd.Timestamp(overrides["week"].max()) > pd.Timestamp(MARKET.week(MARKET.weeks))
    assert pd.Timestamp(overrides["week"].max()) < pd.Timestamp(MARKET.week(MARKET.weeks + PLANNED_AHEAD))


def test_capacity_binds_in_peak_weeks_only(default: Default) -> None:
    load = utilisation(default)
    assert 0.65 < load.mean() < 0.78
    assert 0.95 < load.max() < 1.2
    assert 3 <= (load > 0.95).sum() <= 20


def test_a_plan_with_moderate_overtime_exists(default: Default) -> None:
    """With hindsight and production up to four weeks ahead; the first weeks have no weeks before them."""
    short, overtime_share = hindsight_plan(default)
    assert short[4:].sum() < 0.001 * default.truth["quantity"].sum()
    assert 0.01 < overtime_share < 0.1


def hindsight_plan(default: Default) -> tuple[np.ndarray, float]:
    """Return units short by due week and the share of overtime hours in a least-cost plan of the whole history."""
    network, weeks = default.network, MARKET.weeks
    demand = default.truth.groupby(["part_category", "region", "week"])["quantity"].sum().reset_index()
    demand["row"] = range(len(demand))
    manufacturers = network.manufacturers.assign(manufacturer=range(len(network.manufacturers)))
    routes = network.capabilities.merge(
        manufacturers[["manufacturer_id", "region", "manufacturer"]], on="manufacturer_id"
    )
    routes = routes.rename(columns={"region": "from_region"}).merge(
        network.lanes, on="from_region", suffixes=("", "_lane")
    )
    arcs = routes.merge(demand, left_on=["part_category", "to_region"], right_on=["part_category", "region"])
    arcs = arcs.merge(pd.DataFrame({"ahead": range(5)}), how="cross")
    arcs["made"] = arcs["week"] - arcs["transit_weeks"] - arcs["ahead"]
    arcs = arcs[arcs["made"] >= 0]
    slot, n_slots, n = arcs["manufacturer"] * weeks + arcs["made"], len(manufacturers) * weeks, len(arcs)

    def incidence(values: pd.Series | np.ndarray, row: pd.Series, rows: int) -> sparse.csr_matrix:
        return sparse.csr_matrix((values, (row, np.arange(n))), shape=(rows, n))

    used = incidence(arcs["hours_per_unit"], slot, n_slots)
    met = incidence(np.ones(n), arcs["row"], len(demand))
    cost = arcs["unit_cost"] + arcs["unit_cost_lane"] + 0.01 * arcs["unit_cost"] * arcs["ahead"]
    overtime = np.repeat(manufacturers["overtime_hours_per_week"].to_numpy(), weeks)
    solution = linprog(
        np.concatenate([cost, np.full(len(demand), 500.0), np.full(n_slots, 15.0)]),
        A_ub=sparse.hstack([used, sparse.csr_matrix((n_slots, len(demand))), -sparse.eye(n_slots)]),
        b_ub=capacity(network, weeks).ravel(),
        A_eq=sparse.hstack([met, sparse.eye(len(demand)), sparse.csr_matrix((len(demand), n_slots))]),
        b_eq=demand["quantity"].to_numpy(),
        bounds=[(0, None)] * (n + len(demand)) + [(0, hours) for hours in overtime],
    )
    made, short, over = np.split(solution.x, [n, n + len(demand)])
    return np.bincount(demand["week"], weights=short), over.sum() / (used @ made).sum()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_other_seeds_give_similar_loads(seed: int) -> None:
    """The mean of the expected load is near its target, its yearly peak near all regular hours."""
    demand = expected_demand(Marketplace(seed=seed))
    network = build_network(demand)
    hours = network.capabilities.groupby("part_category")["hours_per_unit"].mean()
    load = demand.units @ demand.series["part_category"].map(hours).to_numpy()
    load = load / network.manufacturers["capacity_hours_per_week"].sum()
    assert 0.65 < load.mean() < 0.78
    assert 0.9 < np.sort(load)[-3] < 1.2
