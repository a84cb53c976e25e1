"""Layout of all reports: navigation, headline numbers, then sections with pictures, tables and interactive parts.

A report is one file that loads nothing: styles, scripts and data are inline, and pictures are data URIs. Every value is
escaped, and the page's content security policy lets only the scripts of this package run, which it names by their
hashes.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import repeat
from typing import TYPE_CHECKING, Any

from forecasting_assets.reporting.formats import unbroken
from forecasting_assets.reporting.headlines import Headline
from forecasting_assets.reporting.style import dark, described, png
from forecasting_assets.reporting.texttable import Cell, Command, Link, TextTable
from forecasting_assets.weeks import days_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

#: Pages of a week in the order of the navigation: file -> text of its link.
PAGES = {
    "plan.html": "Plan",
    "worth.html": "Worth of planning",
    "forecast.html": "Forecast",
    "backtest.html": "Forecast accuracy",
}
INDEX = "index.html"
#: Characters from which a cell is given more width, so that its row does not become as high as a screen.
_LONG_TEXT = 60


@dataclass(frozen=True)
class Widget:
    """An interactive part of a page.

    Attributes
    ----------
    script
        Name of the script in `templates` that draws it, without `.js`. It finds its place by `data-widget`, and its
        data in the element that `data-source` names.
    data
        Its data, as JSON allows; without NaN.
    without_script
        What a reader sees whose browser runs no scripts.
    """

    script: str
    data: Mapping[str, Any]
    without_script: str


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    title, anchor
        Heading, and the id that links to the section name.
    note
        Explanation below the heading.
    pictures
        Figures, in order.
    narrow
        The same figures for a telephone, in the same order; empty if `pictures` do for it.
    tables
        Tables, in order.
    widget
        Interactive part, last.
    """

    title: str
    anchor: str
    note: str = ""
    pictures: Sequence["Figure"] = ()
    narrow: Sequence["Figure"] = ()
    tables: Sequence[TextTable] = ()
    widget: Widget | None = None


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes
    ----------
    title
        What it is about.
    period
        The weeks that it is about, in words.
    lead
        Introduction.
    file
        Path of its file: of a report on a week within the folder of that week, as `manufacturers/M01.html`.
    headlines
        Numbers shown first.
    sections
        Its parts, in order.
    downloads
        Files with the same content.
    """

    title: str
    period: str
    lead: str
    file: str
    headlines: Sequence[Headline]
    sections: Sequence[Section]
    downloads: Sequence[Link] = ()


@dataclass(frozen=True)
class _Image:
    light: str
    dark: str


@dataclass(frozen=True)
class _Picture:
    wide: _Image
    narrow: _Image | None
    text: str


@dataclass(frozen=True)
class _NavigationLink:
    href: str
    text: str
    here: bool


def closed_week(week: date) -> str:
    """Name a week that has closed, with its last day: `week 2026-11-16 to 2026-11-22`."""
    return f"week {week} to {days_of(week)[-1]}"


def render(page: Page) -> str:
    """Render a page as HTML."""
    environment = _environment()
    scripts = [_script(name) for name in ["tables", *sorted(_widgets(page))]]
    return environment.get_template("report.html.j2").render(
        page=page,
        links=_navigation(page.file),
        pictures=[_pictures(section) for section in page.sections],
        scripts=scripts,
        script_hashes=" ".join(f"'sha256-{_hash(script)}'" for script in scripts),
    )


def _widgets(page: Page) -> set[str]:
    return {section.widget.script for section in page.sections if section.widget}


def _navigation(file: str) -> list[_NavigationLink]:
    if file == INDEX:
        return [_NavigationLink(INDEX, "All weeks", True)]
    up = "../" * file.count("/")
    pages = [_NavigationLink(f"{up}{name}", text, name == file) for name, text in PAGES.items()]
    return [_NavigationLink(f"{up}../{INDEX}", "All weeks", False), *pages]


def _pictures(section: Section) -> list[_Picture]:
    narrow: list[_Image | None] = [_image(figure) for figure in section.narrow]
    narrow = narrow or [None] * len(section.pictures)
    return [
        _Picture(_image(figure), small, described(figure))
        for figure, small in zip(section.pictures, narrow, strict=True)
    ]


def _image(figure: "Figure") -> _Image:
    light = png(figure)
    return _Image(_data_uri(light), _data_uri(dark(light)))


def _data_uri(image: bytes) -> str:
    return "data:image/png;base64," + b64encode(image).decode()


def _table_rows(table: TextTable) -> "Markup":
    """Return the rows of a table as HTML; a template would take a minute for the sheets of 20,000 series."""
    from markupsafe import Markup, escape

    numeric = ["n" if is_number else "" for is_number in table.numeric]
    styles = [
        [f"{n} {style}".strip() for n, style in zip(numeric, row, strict=True)] for row in table.classes
    ] or repeat(numeric, len(table.rows))
    anchors = [f' id="{escape(anchor)}"' for anchor in table.anchors] or repeat("", len(table.rows))
    # Cells of names and weeks repeat, so each is escaped once.
    cell = cache(_cell)
    lines = [
        f"<tr{anchor}>{''.join(map(cell, row, row_styles))}</tr>"
        for row, row_styles, anchor in zip(table.rows, styles, anchors, strict=True)
    ]
    return Markup("\n".join(lines))


def _cell(value: Cell, style: str) -> str:
    from markupsafe import escape

    if isinstance(value, Link):
        content = f'<a href="{escape(value.href)}">{escape(value.text)}</a>'
    elif isinstance(value, Command):
        content, style = f"<code>{escape(value.code)}</code>", f"{style} long".strip()
    else:
        content, style = str(escape(value)), f"{style} long".strip() if len(value) > _LONG_TEXT else style
    return f'<td class="{escape(style)}">{content}</td>' if style else f"<td>{content}</td>"


@cache
def _script(name: str) -> str:
    from markupsafe import Markup

    return Markup(
        files("forecasting_assets.reporting").joinpath("templates", f"{name}.js").read_text("utf-8")
    )


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("forecasting_assets.reporting")
    # By default only names that end in .html are escaped.
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["unbroken"] = unbroken
    environment.globals["table_rows"] = _table_rows
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment
