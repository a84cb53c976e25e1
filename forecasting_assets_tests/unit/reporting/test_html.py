"""HTML reports: safe, dated, readable and complete."""

import json
import re
import shlex
from base64 import b64encode
from dataclasses import replace
from datetime import date
from functools import cache
from hashlib import sha256
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.reporting import (
    Commands,
    Money,
    PlanProblems,
    PlanReport,
    PlanTables,
    backtest_html,
    charts,
    plan_html,
    sheets,
    worth_html,
)
from forecasting_assets.reporting.forecast_page import ForecastPage, forecast_html, series_on_page
from forecasting_assets.reporting.index_page import WeekEntry, index_html
from forecasting_assets.reporting.measures import ReportInputError
from forecasting_assets.reporting.plan_tables import cases_to_try, cost_of_plan, load_by_week, value_of_hours
from forecasting_assets.reporting.texttable import Command
from forecasting_assets.reporting.what_if import Difference, what_if_html, what_if_text
from forecasting_assets.reporting.worth import MORE_THAN_ALL
from forecasting_assets_tests.unit.reporting import factories

WEEK = date(2025, 3, 3)
COSTS = {"total": 1_234_567.8, "production_cost": 1_000_000.0, "shortage_cost": 234_567.8}
SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "img", "link", "br", "hr", "input", "source"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif data.strip() and self.open[-1] != "style":
            self.text.append(" ".join(data.split()))


TABLES = PlanTables(
    factories.plan(),
    factories.load(),
    factories.shortages(),
    COSTS,
    factories.impact(),
    factories.reasons(),
    factories.rules(),
)
EMPTY_TABLES = PlanTables(
    factories.plan(0),
    factories.load().iloc[:0],
    factories.shortages(0),
    {},
    factories.impact().iloc[:0],
    factories.reasons(0),
    factories.rules(0),
)


def plan_report(tables: PlanTables = TABLES) -> PlanReport:
    is_empty = tables.plan.empty
    problems = PlanProblems(
        WEEK,
        tables.reasons,
        tables.rules,
        tables.shortages,
        1000.0,
        0.05,
        factories.commitments().iloc[: 0 if is_empty else None],
        factories.overrides().iloc[: 0 if is_empty else None],
    )
    return PlanReport(
        WEEK,
        tables,
        factories.capabilities(),
        factories.proof().iloc[: 0 if is_empty else None],
        problems,
        None if is_empty else factories.changes(),
        Money("EUR"),
        Commands(),
    )


def plan_page(tables: PlanTables = TABLES) -> str:
    load = tables.capacity_load
    return plan_html(
        plan_report(tables), charts.load_by_manufacturer(load), charts.load_by_manufacturer(load, narrow=True)
    )


def worth_page(impact: pd.DataFrame) -> str:
    return worth_html(WEEK, impact, Money(), [charts.cost_by_policy(impact)])


def sheet_page(manufacturer: str = "manufacturer-03") -> str:
    found = {sheet.file: sheet for sheet in sheets(WEEK, factories.plan(), factories.capabilities())}
    return found[manufacturer].html


def backtest_page(report: pd.DataFrame) -> str:
    return backtest_html(WEEK, factories.judged(report), Money(), [charts.error_by_horizon(report)])


def forecast_page(part: str = "part-{:03d}") -> str:
    tables = factories.forecast_tables(part=part)
    chosen = series_on_page(tables.plan, tables.parts).iloc[:3]
    return forecast_html(ForecastPage(tables, chosen, Commands()))


def difference() -> Difference:
    hours = pd.DataFrame({"Plan": [10.0, 5.0], "Changed": [4.0, 11.0], "change": [-6.0, 6.0]}, ["M1", "M2"])
    costs = {"total": 100.0, "production_cost": 90.0, "lane_cost": 10.0}
    changed = {"total": 130.0, "production_cost": 110.0, "lane_cost": 20.0}
    return Difference(
        "M1 -40% hours",
        {"Plan": costs, "Changed": changed},
        {"Plan": 0.9, "Changed": 0.85},
        {"Plan": 0.0, "Changed": 3.0},
        hours,
        factories.reasons(),
    )


def changed_page() -> str:
    return what_if_html(WEEK, difference(), Money("EUR"))


ENTRIES = [
    WeekEntry(
        WEEK,
        "fresh",
        "weeks 2025-03-10 to 2025-04-28",
        date(2025, 3, 10),
        9100.0,
        0.0,
        1_234_567.8,
        ["plan.html"],
    ),
    WeekEntry(date(2025, 2, 24), "failed", "no weeks", None, None, None, None, ["backtest.html"]),
]

PAGES = {
    "what if": changed_page,
    "backtest": lambda: backtest_page(factories.backtest()),
    "plan": plan_page,
    "forecast": forecast_page,
    "empty backtest": lambda: backtest_page(factories.backtest().iloc[:0]),
    "empty plan": lambda: plan_html(plan_report(EMPTY_TABLES)),
    "worth": lambda: worth_page(factories.impact()),
    "empty worth": lambda: worth_page(factories.impact().iloc[:0]),
    "sheet": sheet_page,
    "index": lambda: index_html(ENTRIES, Money("EUR"), Commands()),
    "empty index": lambda: index_html([], Money(), Commands()),
}


@cache
def page_html(name: str) -> str:
    return PAGES[name]()


@pytest.mark.parametrize("name", PAGES)
def test_pages_load_nothing_and_run_only_their_own_scripts(name: str) -> None:
    html = page_html(name)
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert not any(a.startswith("on") for a in attributes)
        for attribute in ("src", "srcset", "action"):
            assert (attributes.get(attribute) or "data:").startswith("data:")
        assert re.fullmatch(r"(#|\.\./)?[\w/.=%-]*(#[\w/.%-]*)?", attributes.get("href") or "")
    assert not re.search(r"https?:|@import|url\(", html)
    policy = next(
        a["content"] or "" for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    own = [script for script in page.scripts if not script.startswith("{")]
    hashes = {b64encode(sha256(script.encode()).digest()).decode() for script in own}
    assert own
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert "script-src 'sha256-" in policy


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_dated_and_have_no_raw_values(name: str) -> None:
    text = Page(page_html(name)).text
    if name not in ("index", "empty index"):
        assert any("week 2025-03-03 to 2025-03-09" in t for t in text)
    assert not [t for t in text if re.search(r"\b(nan|none|inf|NaT|Timestamp)\b", t, re.IGNORECASE)]
    # No number of a thousand or more lacks separators, other than years.
    assert not [
        t
        for t in text
        if re.search(
            r"(?<![\d,.-])\d{4,}(?!-)", t.replace("2025", "").replace("2005", "").replace("2020", "")
        )
    ]
    assert not [t for t in text if re.search(r"\.\d{3,}", t)]


def test_alternative_texts_say_what_the_pictures_show() -> None:
    (load,) = [a["alt"] or "" for tag, a in Page(page_html("plan")).tags if tag == "img"]
    hours = factories.load()["load_hours"].sum()
    assert load.startswith(f"Load against capacity. {hours:,.0f} of ")
    (worth,) = [a["alt"] or "" for tag, a in Page(page_html("worth")).tags if tag == "img"]
    assert "97.2 % on time" in worth


def test_names_are_escaped() -> None:
    formula = '=HYPERLINK("http://x","y")'
    load = factories.load(2, 2).assign(manufacturer_id=[SCRIPT, SCRIPT, formula, formula])
    plan = factories.plan(4).assign(manufacturer_id=SCRIPT, region=f"'\"{SCRIPT}", part_category=SCRIPT)
    short = factories.shortages(2).assign(part_id=SCRIPT, region="&amp;")
    html = plan_page(replace(TABLES, plan=plan, capacity_load=load, shortages=short))
    assert SCRIPT not in html
    assert escape(SCRIPT) in html
    text = Page(html).text
    assert {SCRIPT, formula, "&amp;"} <= set(text)
    data = next(json.loads(script) for script in Page(html).scripts if script.startswith("{"))
    values = {d["name"]: d["values"] for d in data["dimensions"]}
    assert (values["Manufacturer"], values["Region"]) == ([SCRIPT], [f"'\"{SCRIPT}"])
    assert values["Category"] == [SCRIPT]


def test_names_of_parts_are_data_to_the_page_of_forecasts() -> None:
    html = forecast_page(f"'\"{SCRIPT}&amp;" + "{:03d}")
    assert SCRIPT not in html
    data = next(json.loads(script) for script in Page(html).scripts if script.startswith("{"))
    assert data["series"][0]["part"] == f"'\"{SCRIPT}&amp;000"


def test_codes_of_the_backtest_are_escaped() -> None:
    report = factories.backtest(1)
    segment = report[report["segment"] == "new"].assign(segment=SCRIPT)
    report = pd.concat([report, segment])
    html = backtest_page(pd.concat([report, report[report["model"] == "xgb"].assign(model=SCRIPT)]))
    assert SCRIPT not in html.lower()


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=30))
def test_any_part_name_survives_escaping(name: str) -> None:
    shortages = factories.shortages(1).assign(part_id=name)
    tables = replace(EMPTY_TABLES, capacity_load=factories.load(1, 1), shortages=shortages)
    html = plan_html(plan_report(tables))
    cell = re.search(r"<td>(.*?)</td><td>north</td>", html)
    assert cell is not None
    assert unescape(cell[1]) == name


def test_headlines_of_the_backtest() -> None:
    text = Page(page_html("backtest")).text
    assert "WAPE 24.0 %" in text
    assert "Combined forecast: 20 % better than seasonal naive" in text
    assert "96,000" in text


def test_headlines_describe_the_best_available_model() -> None:
    report = factories.backtest()
    text = Page(backtest_page(report[report["model"] == "sarimax"])).text
    assert "SARIMAX forecast" in text


def test_headlines_of_the_plan() -> None:
    plan = factories.plan(2).assign(quantity=[700.0, 290.0])
    load = factories.load(2, 1).assign(
        capacity_hours=[100.0, 100.0], load_hours=[99.7, 20.0], overtime_hours=0.0
    )
    tables = replace(TABLES, plan=plan, capacity_load=load, shortages=factories.shortages(1))
    text = Page(plan_page(tables)).text
    for value, caption in {
        "700 units": "to order for production in week 2025-03-10",
        "99.0 %": "of 1,000 units assigned to a manufacturer, 10 not assigned",
        "1,545 units": "moved, new or dropped since the last plan",
        "1 of 2": "manufacturers full in at least one week",
        "1,234,568 EUR": "cost of the plan, expected penalties included",
    }.items():
        assert text[text.index(caption) + 1] == value


def test_headlines_of_the_worth_page() -> None:
    text = Page(page_html("worth")).text
    for value, caption in {
        "97.2 %": "of units on time under the plan over 3 evaluated weeks",
        "−11.5 %": "cost of the plan against the status quo over 3 evaluated weeks",  # noqa: RUF001
    }.items():
        assert text[text.index(caption) + 1] == value


def test_the_worth_page_says_what_became_of_the_units_wanted() -> None:
    text = Page(page_html("worth")).text
    headings = ["Policy", "Wanted", "On time", "Late", "Short", "More overdue", "Overdue at the end"]
    at = text.index("Policy", text.index("What became of the units wanted"))
    row = at + len(headings)
    assert text[at:row] == headings
    assert text[row : row + len(headings)] == ["Plan", "60,000", "58,320", "1,080", "300", "+300", "300"]


def test_the_worth_page_explains_a_plan_that_costs_less_than_perfect_foresight() -> None:
    impact = factories.impact()
    cheap = (impact["policy"] == "plan") & (impact["metric"] == "cost")
    page = worth_page(impact.assign(value=impact["value"].where(~cheap, 220_000.0)))
    assert "the plan cost less than perfect foresight, see Business impact" in page
    assert MORE_THAN_ALL in page
    assert MORE_THAN_ALL not in page_html("worth")


def test_the_plan_is_in_the_order_of_the_work_and_its_weeks_are_the_planned_ones() -> None:
    html = page_html("plan")
    anchors = ["this-week", "changes", "exceptions", "load", "plan", "proof"]
    assert re.findall(r'<section id="([^"]+)"', html) == anchors
    assert "weeks 2025-03-10 to 2025-04-28" in Page(html).text
    assert "status quo" not in html.lower()


def test_weeks_beyond_the_horizon_are_greyed_and_full_ones_marked() -> None:
    load = factories.load(1, 3).assign(
        capacity_hours=100.0,
        load_hours=[99.9, 110.0, 0.0],
        overtime_hours=[0.0, 10.0, 0.0],
        beyond_horizon=[0, 0, 1],
    )
    table = load_by_week(load, Money())
    assert table.classes == [["", "full", "over", "beyond", ""]]
    assert table.rows[0][1:4] == ["100 %", "110 %", "\u2013"]


def test_this_week_links_to_the_sheets() -> None:
    html = page_html("plan")
    made = factories.plan()
    first = made[made["production_week"] == made["production_week"].min()]
    units = first.loc[first["manufacturer_id"] == "manufacturer-00", "quantity"].sum()
    link = '<td><a href="manufacturers/manufacturer-00.html">manufacturer-00</a></td>'
    assert f'{link}<td class="n">{units:,.0f}</td>' in html


def test_missing_values_are_dashes() -> None:
    report = factories.backtest()
    report.loc[(report["model"] == "xgb") & (report["metric"] == "coverage_80"), "value"] = np.nan
    rows = re.findall(r"<tr><td>Smooth</td><td>XGBoost</td>(.*?)</tr>", backtest_page(report))
    assert '<td class="n">\u2013</td>' in rows[0]


def test_tables_of_the_backtest_hold_the_values_of_the_report() -> None:
    html = backtest_page(factories.backtest(3))
    cells = re.findall(r"<tr><td>Lumpy</td><td>SARIMAX</td>(.*?)</tr>", html)
    assert re.findall(r">([^<]+)</td>", cells[0])[:3] == ["99.0 %", "10.0 %", "2.87"]
    assert re.findall(r">([^<]+)</td>", cells[1]) == ["40 %"] * 3


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(ReportInputError) as raised:
        plan_page(replace(TABLES, shortages=factories.shortages().drop(columns="due_week")))
    assert (raised.value.table, raised.value.columns) == ("plan_shortages", ("due_week",))


def test_empty_tables_need_no_types() -> None:
    def bare(table: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(columns=list(table.columns))

    report, load, impact = bare(factories.backtest()), bare(factories.load()), bare(factories.impact())
    history, forecast = bare(factories.history()), bare(factories.forecast())
    pictures = [charts.demand_and_forecast(history, factories.forecast()), charts.cost_by_policy(impact)]
    pictures += [charts.demand_and_forecast(factories.history(), forecast), charts.load_by_manufacturer(load)]
    judged = factories.judged(report)
    nothing = replace(judged, errors=bare(judged.errors), parts=bare(judged.parts))
    assert "No backtest yet" in backtest_html(WEEK, nothing, Money(), pictures)
    plan, shortages = bare(factories.plan()), bare(factories.shortages())
    empty = PlanTables(plan, load, shortages, {}, impact, factories.reasons(0), factories.rules(0))
    assert "No plan yet" in plan_html(plan_report(empty))


def test_rules_that_do_not_hold_in_a_changed_case_are_named() -> None:
    dropped = replace(difference(), dropped=["minimum_load of M1"])
    said = "Does not hold in this case: minimum_load of M1."
    assert said in what_if_text(WEEK, dropped)
    assert said in what_if_html(WEEK, dropped, Money())
    assert "not hold" not in what_if_text(WEEK, difference())


def test_a_case_names_values_that_were_never_known_before() -> None:
    cells = {"part_id": ["P1"], "region": ["EU"], "target_week": [WEEK], "before": [10.0], "after": [30.0]}
    beyond = pd.DataFrame(
        [("P1", "EU", "unit_price", 1.0, 1.2, 8.0, 9.5), ("P1", "US", "fair", 1.0, 1.0, np.nan, np.nan)],
        columns=["part_id", "region", "covariate", "low", "high", "lowest", "highest"],
    )
    effect = pd.DataFrame(cells)
    case = replace(difference(), effect=effect, beyond=beyond)
    said = (
        "unit_price of P1 in EU 1 to 1.2 (so far 8 to 9.5), fair of P1 in US 1 (never known of a past week)"
    )
    assert said in what_if_text(WEEK, case)
    assert said in what_if_html(WEEK, case, Money("EUR"))
    usual = replace(case, beyond=beyond.iloc[:0])
    assert "so far" not in what_if_text(WEEK, usual) + what_if_html(WEEK, usual, Money("EUR"))


def test_the_end_of_the_horizon_is_not_idle_and_whole_units_have_their_cost() -> None:
    load = factories.load(2, 4)
    last = load["production_week"] == load["production_week"].max()
    beyond = load.assign(beyond_horizon=last.astype(int), load_hours=load["load_hours"].where(~last, 0.0))
    assert value_of_hours(beyond, Money()).rows == value_of_hours(load[~last], Money()).rows
    costs = cost_of_plan({"production_cost": 90.0, "total": 90.0, "published_total": 91.0}, Money())
    assert [row[0] for row in costs.rows] == ["Production", "Total", "Total in whole units"]


def test_cases_to_try_are_quoted_for_a_shell() -> None:
    named = factories.load(manufacturers=3).replace(
        {"manufacturer_id": {"manufacturer-01": "Smith & Sons; rm *"}}
    )
    hours = named["load_hours"].where(named["manufacturer_id"] != "Smith & Sons; rm *", 1e6)
    commands = Commands(Path("/home/a b"), "/opt/bin/forecasting-assets")
    table = cases_to_try(WEEK, named.assign(load_hours=hours, shadow_price=hours), commands)
    arguments = [shlex.split(cell.code) for _, cell in table.rows if isinstance(cell, Command)]
    program = ["FORECASTING_HOME=/home/a b", "/opt/bin/forecasting-assets"]
    assert all(a[:5] == [*program, "what-if", "--week", str(WEEK)] for a in arguments)
    assert [a[5:] for a in arguments] == [
        ["--demand", "*/*=+10%"],
        ["--remove", "Smith & Sons; rm *"],
        ["--capacity", "Smith & Sons; rm *=+10%"],
    ]
    assert len(cases_to_try(WEEK, factories.load().iloc[:0], commands).rows) == 1
