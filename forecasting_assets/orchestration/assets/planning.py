"""From forecast and network to the capacity plan and what it was worth."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from forecasting_assets.allocation import (
    FORESEEN_WEEKS,
    WARM_UP_WEEKS,
    AllocationPlan,
    Network,
    allocate,
    changed_demand,
    changed_network,
    hours_by_manufacturer,
    impact,
    load_network,
    on_time_rate,
    parse_change,
    replayed_origins,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import naive
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.records import NETWORK
from forecasting_assets.lake.reports import write_report
from forecasting_assets.orchestration.factory import Upstream, Weekly, WeekResult, add_week_result
from forecasting_assets.reporting import PlanTables, charts, plan_html, png, what_if_html, what_if_text
from forecasting_assets.reporting.what_if import CHANGED, PLAN, Difference
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPABILITIES,
    CAPACITY_LOAD,
    CAPACITY_OVERRIDES_KNOWN,
    DEMAND_FORECAST,
    LANES,
    MANUFACTURER_NETWORK,
    PLAN_COST,
    PLAN_PROOF,
    PLAN_REASONS,
    PLAN_RULES,
    PLAN_SHORTAGES,
    QUANTILES,
    REPLAY_STATE,
    SERIES,
    WEEKLY_DEMAND,
    Table,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.parallel import each_week

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUP = "planning"
#: A plan is there by noon of each Monday (UTC), made since the week before it has closed.
PLAN_DUE = dg.FreshnessPolicy.cron("0 12 * * 1", lower_bound_delta=timedelta(hours=12), timezone="UTC")
#: Weeks of business impact that a plan's report shows.
IMPACT_WEEKS = 26
#: Weeks that seasonal naive looks back, the year before any target included.
_NAIVE_WEEKS = 60


def write_network(lake: Lake, network: Network, week: date) -> None:
    """Keep the network as it is known in `week`."""
    overrides = network.capacity_overrides.rename(columns={"week": "capacity_week"})
    lake.write_pandas(network.capabilities, CAPABILITIES, week)
    lake.write_pandas(network.lanes, LANES, week)
    lake.write_pandas(overrides, CAPACITY_OVERRIDES_KNOWN, week)
    lake.write_pandas(network.manufacturers, MANUFACTURER_NETWORK, week)


def read_network(lake: Lake, week: date) -> Network:
    """The manufacturer network as it was known in `week`."""

    def read(table: Table) -> pd.DataFrame:
        return lake.read_pandas(table, [week]).drop(columns="week")

    overrides = read(CAPACITY_OVERRIDES_KNOWN).rename(columns={"capacity_week": "week"})
    return Network(read(MANUFACTURER_NETWORK), read(CAPABILITIES), read(LANES), overrides)


def planned_demand(lake: Lake, features: Table, origin: date) -> pd.DataFrame:
    """The forecast made at `origin` as demand to plan: units of each part, region and due week, their mean
    as quantity and their quantiles."""
    forecast = lake.read_pandas(DEMAND_FORECAST, [origin], [*SERIES, "target_week", "mean", *QUANTILES])
    known = lake.read_pandas(features, [origin], [*SERIES, "part_category", "price"])
    demand = forecast.merge(known.drop(columns="week"), on=SERIES, validate="many_to_one")
    renamed = {"target_week": "due_week", "mean": "quantity", "price": "unit_price"}
    return demand.drop(columns="week").rename(columns=renamed)


def previous_plan(lake: Lake, settings: Settings, week: date) -> pd.DataFrame | None:
    """The plan of the week before, if first weeks are frozen and there is one."""
    if not settings.allocation.frozen_weeks:
        return None
    return lake.read_pandas(ALLOCATION_PLAN, [add_weeks(week, -1)], missing_ok=True)


def plan_costs(lake: Lake, week: date) -> dict[str, float]:
    """What the plan of a week costs: `total`, and its parts."""
    costs = lake.read_pandas(PLAN_COST, [week])
    return dict(zip(costs["part"], costs["amount"].astype(float), strict=True))


def write_plan(lake: Lake, made: AllocationPlan, week: date) -> int:
    """The tables of a plan; rows of ALLOCATION_PLAN."""
    lake.write_pandas(made.capacity_load, CAPACITY_LOAD, week)
    lake.write_pandas(made.shortages, PLAN_SHORTAGES, week)
    lake.write_pandas(made.reasons, PLAN_REASONS, week)
    lake.write_pandas(made.rules, PLAN_RULES, week)
    lake.write_pandas(made.proof, PLAN_PROOF, week)
    lake.write_pandas(pd.DataFrame(list(made.cost.items()), columns=PLAN_COST.names), PLAN_COST, week)
    return lake.write_pandas(made.plan, ALLOCATION_PLAN, week)


def read_plan(lake: Lake, week: date) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ALLOCATION_PLAN, CAPACITY_LOAD and PLAN_SHORTAGES of a week."""
    plan, load, short = (
        lake.read_pandas(table, [week]) for table in (ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES)
    )
    return plan, load, short


def plan_week(settings: Settings, week: date) -> WeekResult:
    """Plan one week and write its tables and report."""
    lake = Lake(path=settings.lake_path)
    demand = planned_demand(lake, feature_columns(settings.calendar.horizon_weeks), week)
    network = read_network(lake, week)
    made = allocate(demand, network, settings.allocation, previous=previous_plan(lake, settings, week))
    rows = write_plan(lake, made, week)
    report, pictures = write_plan_report(lake, settings, week)
    costs = {f"cost/{part}": value for part, value in made.cost.items()}
    short = float(made.shortages["quantity"].sum())
    metadata = {**costs, "shortage_units": short, "status": made.status, "gap": made.gap}
    return WeekResult(rows, metadata, pictures, report)


def judge_week(settings: Settings, week: date) -> Mapping[str, Any]:
    """Write what planning was worth in `week`, going on from where the week before stood; the metadata of it."""
    lake = Lake(path=settings.lake_path)
    origin = add_weeks(week, -1)
    worth, state, metadata = _nothing(BUSINESS_IMPACT), _nothing(REPLAY_STATE), {"no_plan_for": str(origin)}
    # A plan for no demand at all has no capacity to judge.
    if lake.existing(ALLOCATION_PLAN, [origin]) and lake.rows(CAPACITY_LOAD, origin):
        worth, state = replay_week(lake, settings, week)
        since = state["since"].iloc[0].date()
        metadata = {"replayed_since": str(since)}
        if week < add_weeks(since, WARM_UP_WEEKS):
            worth = worth.iloc[:0]
    lake.write_pandas(state, REPLAY_STATE, week)
    lake.write_pandas(worth, BUSINESS_IMPACT, week)
    return metadata


def report_worth(settings: Settings, week: date, metadata: Mapping[str, Any]) -> WeekResult:
    """The result of a week that has been judged, with the report of its plan written anew."""
    lake = Lake(path=settings.lake_path)
    worth = lake.read_pandas(BUSINESS_IMPACT, [week])
    if worth.empty:
        return WeekResult(0, metadata)
    if not lake.existing(ALLOCATION_PLAN, [week]):
        pictures = {name: png(figure) for name, figure in _judged(worth).items()}
        return WeekResult(len(worth), metadata, pictures)
    report, pictures = write_plan_report(lake, settings, week)
    return WeekResult(len(worth), metadata, pictures, report)


def replay_week(lake: Lake, settings: Settings, week: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """BUSINESS_IMPACT and REPLAY_STATE of `week`. The replay starts in the first week after which none is
    missing: there is no state of the week before."""
    horizon, origin = settings.calendar.horizon_weeks, add_weeks(week, -1)
    state = lake.read_pandas(REPLAY_STATE, [origin], missing_ok=True)
    since = week if state.empty else state["since"].iloc[0].date()
    origins = replayed_origins(week, since)
    history = weeks_between(
        max(settings.calendar.first_week, add_weeks(week, -FORESEEN_WEEKS - _NAIVE_WEEKS)), week
    )
    orders = lake.read_pandas(WEEKLY_DEMAND, history)
    forecasts = {o: planned_demand(lake, feature_columns(horizon), o) for o in origins}
    return impact(
        week,
        forecasts,
        naive_demand(orders, forecasts[origin], origin, horizon),
        orders,
        read_network(lake, origin),
        settings.allocation,
        None if state.empty else state,
    )


def _nothing(table: Table) -> pd.DataFrame:
    return pd.DataFrame(
        {c.name: pd.Series(dtype=float if c.type == "double" else object) for c in table.columns}
    )


def naive_demand(orders: pd.DataFrame, demand: pd.DataFrame, origin: date, horizon: int) -> pd.DataFrame:
    """`demand` to plan at `origin`, as seasonal naive would have had it."""
    known = orders[orders["week"] <= pd.Timestamp(origin)]
    again = naive.forecast(known, origin, horizon, _NAIVE_WEEKS)[[*SERIES, "target_week", "mean"]]
    again = again.rename(columns={"target_week": "due_week", "mean": "quantity"})
    return demand.drop(columns="quantity").merge(again, on=[*SERIES, "due_week"], validate="one_to_one")


def _judged(worth: pd.DataFrame) -> dict[str, "Figure"]:
    return {
        "cost_by_policy": charts.cost_by_policy(worth),
        "impact_by_week": charts.impact_by_week(worth),
        "sensitivity": charts.sensitivity(worth),
    }


def write_plan_report(lake: Lake, settings: Settings, week: date) -> tuple[str, dict[str, bytes]]:
    """Write plan.html of a plan in the lake, with what earlier plans were worth up to that week.

    Its path, and its pictures by name.
    """
    plan, load, short = read_plan(lake, week)
    earlier = weeks_between(add_weeks(week, 1 - IMPACT_WEEKS), week)
    worth = lake.read_pandas(BUSINESS_IMPACT, earlier, missing_ok=True)
    figures = {"load_against_capacity": charts.load_by_manufacturer(load)} | (
        _judged(worth) if len(worth) else {}
    )
    reasons, rules = (lake.read_pandas(table, [week]) for table in (PLAN_REASONS, PLAN_RULES))
    costs = plan_costs(lake, week)
    tables = PlanTables(plan, load, short, costs, worth, reasons, rules)
    page = plan_html(week, tables, list(figures.values()))
    path = write_report(settings.reports_path, week, "plan.html", page)
    return path, {name: png(figure) for name, figure in figures.items()}


def what_if(
    settings: Settings, week: date, capacity: Sequence[str], demand: Sequence[str], remove: Sequence[str]
) -> tuple[str, str]:
    """The plan of a changed case beside that of `week`: in words, and the path of its page.

    Nothing of the plan is written; `capacity`, `demand` and `remove` are as on the command line.
    """
    lake = Lake(path=settings.lake_path)
    asked = planned_demand(lake, feature_columns(settings.calendar.horizon_weeks), week)
    network = read_network(lake, week)
    plan, load, short = read_plan(lake, week)
    change = parse_change(capacity, demand, remove, network, asked)
    words = ", ".join(
        [
            *(f"{text.replace('=', ' ')} hours" for text in capacity),
            *(f"{text.replace('=', ' ')} demand" for text in demand),
            *(f"without {name}" for name in remove),
        ]
    )
    made = allocate(
        changed_demand(asked, change, ["quantity", *QUANTILES]),
        changed_network(network, change),
        settings.allocation,
        previous=previous_plan(lake, settings, week),
    )
    difference = Difference(
        words,
        {PLAN: plan_costs(lake, week), CHANGED: made.cost},
        {
            PLAN: on_time_rate(plan, short, network),
            CHANGED: on_time_rate(made.plan, made.shortages, network),
        },
        {PLAN: float(short["quantity"].sum()), CHANGED: float(made.shortages["quantity"].sum())},
        hours_by_manufacturer([(PLAN, load), (CHANGED, made.capacity_load)]),
        made.reasons,
    )
    name = "-".join(["what-if", *re.findall("[a-z0-9]+", words.lower().replace("-", "minus "))])
    path = write_report(settings.reports_path, week, f"{name[:80]}.html", what_if_html(week, difference))
    return what_if_text(week, difference), path


def planning_assets(weekly: Weekly) -> list[dg.AssetsDefinition]:
    settings = weekly.settings

    @weekly.asset(
        MANUFACTURER_NETWORK,
        group=GROUP,
        kinds=["csv"],
        reads=NETWORK,
        settings=["orders.fold_case"],
        companions=[CAPABILITIES, LANES, CAPACITY_OVERRIDES_KNOWN],
    )
    def manufacturer_network(context: dg.AssetExecutionContext, weeks: list[date], lake: Lake) -> None:
        """Manufacturers, what they can make at which cost, and the lanes between regions, as the network files
        said when the week was planned."""
        network = load_network(settings.network_path, settings.orders.fold_case)
        sizes = {"manufacturers": len(network.manufacturers), "lanes": len(network.lanes)}
        for week in weeks:
            write_network(lake, network, week)
            add_week_result(context, week, WeekResult(len(network.manufacturers), sizes))

    # The plan of the week before, whose first weeks stand.
    frozen = [Upstream("allocation_plan", -1, -1, optional=True)] if settings.allocation.frozen_weeks else []

    @weekly.asset(
        ALLOCATION_PLAN,
        group=GROUP,
        kinds=["cvxpy", "highs"],
        upstream=["demand_forecast", "feature_table", "manufacturer_network", *frozen],
        settings=["allocation"],
        companions=[CAPACITY_LOAD, PLAN_SHORTAGES, PLAN_COST, PLAN_REASONS, PLAN_RULES, PLAN_PROOF],
        freshness=PLAN_DUE,
    )
    def allocation_plan(context: dg.AssetExecutionContext, weeks: list[date]) -> None:
        """Which manufacturer makes how much of which part in which week, at least cost: forecast demand is met
        where capacity allows, and what cannot be made in time is listed as shortage."""
        for week, result in each_week(
            plan_week,
            weeks,
            ((settings, week) for week in weeks),
            in_turn=settings.allocation.frozen_weeks > 0,  # then each week needs the plan before it
        ):
            add_week_result(context, week, result)

    @weekly.asset(
        BUSINESS_IMPACT,
        group=GROUP,
        kinds=["cvxpy", "highs"],
        upstream=[
            Upstream("business_impact", -1, -1, optional=True),  # whose state the replay goes on from
            Upstream("allocation_plan", first=-FORESEEN_WEEKS, optional=True),
            Upstream("demand_forecast", first=-FORESEEN_WEEKS, optional=True),
            Upstream("feature_table", first=-FORESEEN_WEEKS, optional=True),
            Upstream("manufacturer_network", first=-FORESEEN_WEEKS, optional=True),
            Upstream("weekly_demand", first=-FORESEEN_WEEKS - _NAIVE_WEEKS, optional=True),
        ],
        settings=["allocation", "calendar.horizon_weeks"],
        companions=[REPLAY_STATE],
    )
    def business_impact(context: dg.AssetExecutionContext, weeks: list[date]) -> None:
        """What planning was worth once the week's real orders came, replayed week after week: what was started
        stands, and the rest is planned again. On-time rate, fill rate, utilisation and cost against the status
        quo and perfect foresight, and how cost responds to forecast error."""
        # Each goes on from the week before.
        judged = ((settings, week, judge_week(settings, week)) for week in weeks)
        for week, result in each_week(report_worth, weeks, judged):
            add_week_result(context, week, result)

    return [manufacturer_network, allocation_plan, business_impact]
