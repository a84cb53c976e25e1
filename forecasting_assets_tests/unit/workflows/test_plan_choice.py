"""What a plan is made for: set, or chosen by replaying the weeks that the lake holds."""

from datetime import date
from statistics import NormalDist

import pandas as pd
import pytest

from forecasting_assets.allocation import FEWEST_WEEKS
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import write_network
from forecasting_assets.orchestration.checks.planning import plan_findings
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import (
    DEMAND_PLAN,
    ERROR_CORRELATIONS,
    PLAN_CHOICE,
    QUANTILES,
    WEEKLY_DEMAND,
)
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.plan_choice import choose_week, read_policy
from forecasting_assets.workflows.planning import plan_week
from forecasting_assets_tests.unit.allocation.cases import make_network

FIRST = date(2024, 3, 4)
SHOP = make_network(
    [("M1", "north", 500.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
)
QUANTILES_OF_100 = {q: 100 + 30 * NormalDist().inv_cdf(level) for q, level in QUANTILES.items()}


@pytest.fixture
def home(tmp_path):
    """Settings and a lake with orders and demand plans of five weeks; orders come as planned for."""
    (tmp_path / "forecasting.toml").write_text(
        f'[calendar]\nfirst_week = {FIRST}\n[allocation]\nuncertainty = "auto"\nscenarios = 4\n'
    )
    lake = Lake(str(tmp_path / "lake"))
    series = {"part_id": ["p"], "region": ["north"], "part_category": ["cnc"]}
    for n in range(5):
        week = add_weeks(FIRST, n)
        orders = pd.DataFrame({**series, "quantity": 100.0, "order_count": 1, "unit_price": 20.0})
        lake.write_pandas(_filled(orders, WEEKLY_DEMAND), WEEKLY_DEMAND, week)
        plan = pd.DataFrame({**series, "due_week": pd.Timestamp(add_weeks(week, 1)), "unit_price": 20.0})
        plan = plan.assign(quantity=100.0, statistical=100.0, **QUANTILES_OF_100)
        lake.write_pandas(_filled(plan, DEMAND_PLAN), DEMAND_PLAN, week)
        write_network(lake, SHOP, week)
    return load_settings(tmp_path), lake


def _filled(frame, table):
    """Add the columns that these tests do not need."""
    text = {c.name for c in table.columns if c.type == "string"}
    return frame.assign(**{name: "" if name in text else 0.0 for name in table.names if name not in frame})


def test_past_weeks_choose_the_method(home):
    settings, lake = home
    week = add_weeks(FIRST, 4)
    metadata = choose_week(settings, lake, week)
    choice = lake.read_pandas(PLAN_CHOICE, [week])
    assert (choice["weeks"] == 4).all()
    assert choice["cost"].notna().all()
    # Orders came exactly as their mean was planned for.
    assert read_policy(settings, lake, week).uncertainty == "deterministic"
    assert metadata["uncertainty/method"] == "deterministic (cheapest of 6 methods over 4 past weeks)"


def test_a_gap_ends_the_weeks_that_are_replayed(home):
    settings, lake = home
    week = add_weeks(FIRST, FEWEST_WEEKS - 1)
    metadata = choose_week(settings, lake, week)
    assert lake.read_pandas(PLAN_CHOICE, [week])["weeks"].tolist() == [FEWEST_WEEKS - 1]
    assert read_policy(settings, lake, week).uncertainty == "deterministic"
    assert f"only {FEWEST_WEEKS - 1} of the {FEWEST_WEEKS} past weeks" in metadata["uncertainty/method"]


def test_a_method_that_is_set_is_not_replayed(home):
    settings, lake = home
    quantile = settings.allocation.model_copy(update={"uncertainty": "quantile", "service_level": 0.7})
    settings = settings.model_copy(update={"allocation": quantile})
    metadata = choose_week(settings, lake, FIRST)
    assert metadata["uncertainty/method"] == "quantile 0.7 (set)"
    assert read_policy(settings, lake, FIRST) == quantile
    assert lake.read_pandas(PLAN_CHOICE, [FIRST])["weeks"].tolist() == [0]


@pytest.mark.parametrize("uncertainty", ["quantile", "stochastic"])
def test_plans_for_uncertain_demand_pass_their_checks(home, uncertainty):
    settings, lake = home
    policy = settings.allocation.model_copy(update={"uncertainty": uncertainty})
    settings = settings.model_copy(update={"allocation": policy})
    learnt = pd.DataFrame(
        {"part_category": ["", "cnc"], "region": ["", "north"], "part_correlation": [0.1, 0.4]}
    )
    lake.write_pandas(learnt.assign(week_correlation=0.25, origins=20), ERROR_CORRELATIONS, FIRST)
    metadata = plan_week(settings, lake, FIRST)
    assert metadata["uncertainty/part_correlation"] == "0.100 (learnt)"
    assert metadata["uncertainty/week_correlation"] == "0.250 (learnt)"
    findings = plan_findings(settings, lake, FIRST)
    assert {name: f.description for name, f in findings.items() if not f.passed} == {}
