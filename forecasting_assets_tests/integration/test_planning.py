"""The plan's assets and checks: rules that contradict each other, tampered tables, frozen weeks."""

import pandas as pd
import pytest

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.checks.planning import plan_findings
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    DEMAND_PLAN,
    PLAN_COST,
    PLAN_FLOWS,
    PLAN_REASONS,
    PLAN_RULES,
)
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = pytest.mark.spark
WEEK = PLANNED[-1]


def with_settings(home, text):
    file = home.path / "forecasting.toml"
    file.write_text(file.read_text() + text)
    return home.settings


def findings(settings):
    return plan_findings(settings, Lake(settings.lake_path), WEEK)


def test_contradicting_rules_are_named_and_the_check_fails(home_copy, capsys):
    settings = with_settings(
        home_copy,
        '[allocation.minimum_load]\nM02 = 0.9\n[allocation.maximum_share]\n"CNC machining" = 0.01\n',
    )
    assert not materialize(settings, [WEEK], "key:allocation_plan")
    said = capsys.readouterr().out
    assert "rules_kept" in said
    assert "minimum_load of M02" in said
    assert "maximum_share of CNC machining at M02" in said
    rules = home_copy.lake.read_pandas(PLAN_RULES, [WEEK])
    assert (rules["eased"] > 0).any()
    # What is left is still proved.
    assert findings(settings)["solver_certified"].passed


@pytest.mark.parametrize("mode", ["quantile", "stochastic"])
def test_plans_for_uncertain_demand_are_certified_from_the_lake(home_copy, mode):
    settings = with_settings(home_copy, f'[allocation]\nuncertainty = "{mode}"\nscenarios = 8\n')
    plain = home_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    assert materialize(settings, [WEEK], "key:allocation_plan")
    assert home_copy.lake.read_pandas(ALLOCATION_PLAN, [WEEK])["quantity"].sum() > plain["quantity"].sum()
    found = findings(settings)
    found.pop("few_shortages")  # a warning, and more is asked for than the mean
    assert all(finding.passed for finding in found.values()), found


def test_frozen_weeks_read_the_plan_before(home_copy):
    settings = with_settings(home_copy, "[allocation]\nfrozen_weeks = 2\nchange_penalty = 0.1\n")
    assert materialize(settings, PLANNED[-2:], "key:allocation_plan")
    costs = home_copy.lake.read_pandas(PLAN_COST, [WEEK]).set_index("part")["amount"]
    assert costs["change_cost"] > 0
    assert findings(settings)["solver_certified"].passed


def test_tampered_tables_fail_the_certificate(home_copy):
    settings, lake = home_copy.settings, home_copy.lake
    assert findings(settings)["solver_certified"].passed
    plan = lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    moved = plan.copy()
    moved.loc[0, "production_week"] += pd.Timedelta(weeks=1)
    lake.write_pandas(moved, ALLOCATION_PLAN, WEEK)
    found = findings(settings)["solver_certified"]
    assert not found.passed
    assert "published units that are not those of plan_flows" in found.description
    lake.write_pandas(plan, ALLOCATION_PLAN, WEEK)
    costs = lake.read_pandas(PLAN_COST, [WEEK])
    lake.write_pandas(costs.assign(amount=costs["amount"] * 0.9), PLAN_COST, WEEK)
    assert not findings(settings)["solver_certified"].passed


def test_every_shortage_and_late_delivery_has_a_reason(home):
    reasons = home.lake.read_pandas(PLAN_REASONS, PLANNED)
    # Reasons are those of the solved plan: less than a unit that is late may be on time in the plan in whole units.
    flows = home.lake.read_pandas(PLAN_FLOWS, PLANNED)
    assert len(reasons)
    assert reasons["reason"].str.contains("in week 20").all()
    keys = ["week", "part_category", "region", "due_week"]
    assert set(map(tuple, reasons.loc[reasons["kind"] == "late", keys].to_numpy())) <= set(
        map(tuple, flows[keys].to_numpy())
    )


def test_an_override_is_planned_for_and_leaves_earlier_weeks_fresh(home_copy, capsys):
    settings, earlier = home_copy.settings, PLANNED[-2]
    before = home_copy.lake.read_pandas(DEMAND_PLAN, [WEEK])
    chosen = (before["part_category"] == "Sheet metal") & (before["due_week"] == str(add_weeks(WEEK, 1)))
    file = home_copy.path / "landing" / "planning" / "forecast_overrides-fair.csv"
    file.write_text(
        "part_category,week_from,week_to,factor,reason,author,entered\n"
        f"Sheet metal,{add_weeks(WEEK, 1)},{add_weeks(WEEK, 1)},2,fair,Ann,{WEEK}\n"
        f"Sheet,{add_weeks(WEEK, 1)},{add_weeks(WEEK, 1)},3,typing error,Ann,{WEEK}\n"
    )
    states = freshness_of(settings).states("demand_plan")
    assert {week: state.state for week, state in states.items()} == {
        week: "out of date" if week == WEEK else "fresh" for week in PLANNED
    }
    assert materialize(settings, [WEEK], "key:demand_plan")
    shown = capsys.readouterr().out
    assert "overrides_used: forecast_overrides-fair.csv, row 3: part_category 'Sheet' is unknown" in shown
    after = home_copy.lake.read_pandas(DEMAND_PLAN, [WEEK])
    expected = before["quantity"].where(~chosen, (2 * before["statistical"]).clip(lower=before["booked"]))
    assert chosen.any()
    assert after["quantity"].tolist() == pytest.approx(expected.tolist())
    assert set(after.loc[chosen, "author"]) == {"Ann"}
    assert freshness_of(settings).state("demand_plan", WEEK).state == "fresh"
    # A mistake stops the weeks that know of the row, and says where it is.
    file.write_text(file.read_text().replace(",2,fair", ",twice,fair"))
    assert not materialize(settings, [earlier, WEEK], "key:demand_plan")
    assert "forecast_overrides-fair.csv, row 2, column factor: 'twice'" in capsys.readouterr().out
    assert freshness_of(settings).state("demand_plan", earlier).state == "fresh"
    assert freshness_of(settings).state("demand_plan", WEEK).state == "failed"
