"""The index of all reports, from the lake into the folder of reports."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import date

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.lake import Lake
from forecasting_assets.reporting import Commands, Money
from forecasting_assets.reporting.html import INDEX, PAGES
from forecasting_assets.reporting.index_page import WeekEntry, index_html
from forecasting_assets.reporting.plan_page import planned_weeks
from forecasting_assets.settings import Settings
from forecasting_assets.storage import list_files, replace_file
from forecasting_assets.tables import ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES
from forecasting_assets.weeks import parse_week
from forecasting_assets.workflows.planning import read_plan_costs

#: Weeks that the index lists; the pages of older ones stay in their folders.
_MOST_WEEKS = 52


def write_index(settings: Settings, lake: Lake, *, with_states: bool = False) -> str:
    """Write the index of all reports.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    with_states
        Whether to show which plans are out of date or failed. During a run the records that tell are not yet written.

    Returns
    -------
    str
        Path or URL of the page.
    """
    folder = settings.reports_path
    files = list_files(folder)
    weeks = sorted(_weeks(files), reverse=True)
    states = freshness_of(settings).states("allocation_plan") if with_states else {}
    planned = set(lake.existing(ALLOCATION_PLAN, weeks))
    entries = [
        _entry(files, lake, week, states[week].state if week in states else "", week in planned)
        for week in weeks[:_MOST_WEEKS]
    ]
    html = index_html(entries, Money(settings.reports.currency), Commands.of(settings.home))
    return replace_file(folder, INDEX, html.encode())


def _weeks(files: Collection[str]) -> Iterator[date]:
    """Yield the weeks of which there are reports; people may keep other folders there."""
    for name in {file.partition("/")[0] for file in files if file.startswith("week=")}:
        with suppress(ValueError):
            yield parse_week(name.removeprefix("week="))


def _entry(files: Collection[str], lake: Lake, week: date, state: str, is_planned: bool) -> WeekEntry:
    pages = [name for name in PAGES if f"week={week}/{name}" in files]
    if not is_planned:
        return WeekEntry(week, state or "missing", "no weeks", None, None, None, None, pages)
    load = lake.read_pandas(CAPACITY_LOAD, [week], ["production_week", "beyond_horizon"])
    plan = lake.read_pandas(ALLOCATION_PLAN, [week], ["production_week", "quantity"])
    first = load["production_week"].min()
    return WeekEntry(
        week,
        state or "planned",
        planned_weeks(load),
        first.date(),
        float(plan.loc[plan["production_week"] == first, "quantity"].sum()),
        float(lake.read_pandas(PLAN_SHORTAGES, [week], ["quantity"])["quantity"].sum()),
        read_plan_costs(lake, week).get("total"),
        pages,
    )
