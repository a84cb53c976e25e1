"""The first page: all weeks with their state, their headline and links to their pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.formats import MISSING, Money, number
from forecasting_assets.reporting.headlines import Headline
from forecasting_assets.reporting.html import INDEX, PAGES, Page, Section, render
from forecasting_assets.reporting.texttable import Cell, Link, TextTable


@dataclass(frozen=True)
class WeekEntry:
    """A week in the index.

    Attributes
    ----------
    week
        The week that closed.
    state
        State of its plan: `planned` (it exists), `fresh`, `out of date`, `missing` or `failed`.
    planned
        Weeks that the plan is for, in words.
    first
        First of them; None without a plan.
    to_order
        Units that the plan makes in its first week; None without a plan.
    short
        Units that it does not deliver.
    cost
        Its cost.
    pages
        Names of the pages that exist.
    """

    week: date
    state: str
    planned: str
    first: date | None
    to_order: float | None
    short: float | None
    cost: float | None
    pages: Sequence[str]


def index_html(entries: Sequence[WeekEntry], money: Money, commands: Commands) -> str:
    """Render the index.

    Parameters
    ----------
    entries
        The weeks, newest first.
    money, commands
        How amounts and commands are written.
    """
    period = f"{entries[-1].week} to {entries[0].week}" if entries else "no weeks yet"
    return render(
        Page(
            "Forecasts and plans",
            period,
            f"A week is named by its Monday and planned once it has closed. {money.note}",
            INDEX,
            _headlines(entries, money),
            [
                Section(
                    "Weeks",
                    "weeks",
                    f"This command writes the page again, with the state of each plan: {commands.line('open')}",
                    tables=[_weeks(entries, money)],
                )
            ],
        )
    )


def _headlines(entries: Sequence[WeekEntry], money: Money) -> list[Headline]:
    planned = [entry for entry in entries if entry.to_order is not None]
    if not planned:
        return [Headline("No plan yet", "materialize a week, or run the demo")]
    newest = planned[0]
    unsettled = sum(entry.state != "fresh" for entry in entries)
    headlines = [
        Headline(f"{number(newest.to_order)} units", f"to order for production in week {newest.first}"),
        Headline(f"{number(newest.short)} units", "short in the newest plan"),
        Headline(money.amount(newest.cost), "cost of the newest plan, including expected penalties"),
    ]
    if all(entry.state != "planned" for entry in entries):
        headlines.append(Headline(number(unsettled), "weeks whose plan is missing, failed or out of date"))
    return headlines


def _weeks(entries: Sequence[WeekEntry], money: Money) -> TextTable:
    rows: list[list[Cell]] = []
    for entry in entries:
        links: list[Cell] = [
            Link(text, f"week={entry.week}/{name}") if name in entry.pages else MISSING
            for name, text in PAGES.items()
        ]
        amounts = [number(entry.to_order), number(entry.short), number(entry.cost)]
        rows.append([str(entry.week), entry.state.capitalize(), entry.planned, *amounts, *links])
    heading = [
        "Closed week",
        "State",
        "Planned",
        "Units to order first",
        "Units short",
        money.heading("Cost"),
    ]
    return TextTable(
        "Weeks",
        "",
        [*heading, *PAGES.values()],
        [False, False, False, True, True, True, *[False] * len(PAGES)],
        rows,
        "No week has been planned yet.",
    )
