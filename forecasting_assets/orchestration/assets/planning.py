"""From forecast and network to the capacity plan and what it was worth."""

from datetime import date

from forecasting_assets.allocation import load_network, unused_manufacturers
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import write_network
from forecasting_assets.settings import Settings
from forecasting_assets.workflows.covariates import write_covariates
from forecasting_assets.workflows.demand import plan_demand_of_week
from forecasting_assets.workflows.impact import judge_week, report_week
from forecasting_assets.workflows.index_report import write_index
from forecasting_assets.workflows.parallel import each_week
from forecasting_assets.workflows.plan_report import report_plan
from forecasting_assets.workflows.planning import plan_week
from forecasting_assets.workflows.week_result import WeekResult, WeekResults


def manufacturer_network(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """Manufacturers, what they can make at which cost, and the lanes between regions.

    As the network files were when the week was planned.
    """
    network = load_network(settings.network_path, settings.orders.fold_case)
    sizes = {
        "manufacturers": len(network.manufacturers),
        "unused_manufacturers": ", ".join(unused_manufacturers(network)),
        "lanes": len(network.lanes),
    }
    for week in weeks:
        write_network(lake, network, week)
        yield week, WeekResult(len(network.manufacturers), sizes)


def known_covariates(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """What became known of coming weeks, such as prices and promotions: each value when a forecast could first use it.

    All that is known at the end of a week is in the weeks up to it. A value published later replaces an earlier one.
    """
    yield from write_covariates(settings, lake, weeks)


def demand_plan(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """The demand that is planned for, with each step towards it.

    The statistical forecast, what planners put in its place, the units that are ordered already, and the units held for
    promises.
    """
    yield from each_week(plan_demand_of_week, weeks, ((settings, lake, week) for week in weeks))


def allocation_plan(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """Which manufacturer makes how much of which part in which week, at least cost.

    Planned demand and overdue orders that stock and units on their way do not cover are met where capacity allows; what
    cannot be made in time is listed as a shortage.
    """
    # Each plan starts from what the plan before it has started; the reports can be written side by side.
    planned = ((settings, lake, week, plan_week(settings, lake, week)) for week in weeks)
    yield from each_week(report_plan, weeks, planned)
    write_index(settings, lake)


def business_impact(weeks: list[date], settings: Settings, lake: Lake) -> WeekResults:
    """What planning was worth once the week's real orders arrived.

    Weeks are replayed one after the other: production that was started is kept, and the rest is planned again. On-time
    rate, fill rate, utilisation and cost are compared with the status quo and with perfect foresight, and so is how
    cost responds to forecast error.
    """
    # Each week starts from the state of the week before; the reports can be written side by side.
    judged = ((settings, lake, week, judge_week(settings, lake, week)) for week in weeks)
    yield from each_week(report_week, weeks, judged)
    write_index(settings, lake)
