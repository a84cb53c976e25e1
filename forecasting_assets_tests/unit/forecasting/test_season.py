import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.rolling import is_sparse
from forecasting_assets.forecasting.season import (
    COMPONENTS,
    PRIOR,
    GroupTotals,
    deviations,
    first_peaks,
    fit_season,
    past_deviations,
    season_components,
    shared_season,
)
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks
from forecasting_assets_tests.support.market import FIRST, market

WEEKS = 170
HISTORY = market(weeks=WEEKS, series=8)
ORDERS = st.lists(st.integers(0, 50), min_size=60, max_size=60).filter(any)


def panel_of(history):
    return Panel.from_history(history, FIRST, add_weeks(FIRST, WEEKS - 1))


def split(history, fitted_at=110, horizon=26):
    panel, totals = panel_of(history), GroupTotals.from_history(history)
    categories, regions = (totals.groups(level, panel, fitted_at) for level in ("part_category", "region"))
    return season_components(panel, categories, regions, fitted_at, horizon)


def seasonal(rng, weeks, noise, series=40):
    """Generate log demand with a season of its own for each series, and the season."""
    phase = rng.uniform(0, 2 * np.pi, (series, 1))
    season = 0.4 * np.sin(2 * np.pi * np.arange(weeks) / 52 + phase)
    return season, season + rng.normal(0, noise, (series, weeks))


@given(ORDERS)
def test_deviations_are_known_from_the_first_order_on(orders):
    demand = np.array([orders], dtype=float)
    first = (demand[0] > 0).argmax()
    deviation = deviations(demand, 59)[0]
    assert np.isnan(deviation[:first]).all()
    assert np.isfinite(deviation[first:]).all()


@given(ORDERS, st.floats(1e-3, 1e3))
def test_deviations_do_not_depend_on_the_unit(orders, unit):
    demand = np.array([orders], dtype=float)
    np.testing.assert_allclose(deviations(demand * unit, 50), deviations(demand, 50), atol=1e-9)


def test_constant_demand_has_no_deviation_and_a_peak_deviates_by_its_height():
    demand = np.full((1, 120), 100.0)
    np.testing.assert_allclose(deviations(demand, 119), 0.0, atol=1e-9)
    demand[0, 60] = 200.0
    deviation = deviations(demand, 119)[0]
    assert deviation[60] == pytest.approx(np.log(2), abs=0.1)
    assert np.abs(np.delete(deviation, 60)).max() < 0.05


def test_past_deviations_are_the_mean_of_the_same_week_in_the_years_before():
    deviation = np.arange(110.0)[None]
    deviation[0, :3] = np.nan
    ago = past_deviations(deviation, 8)[0]
    assert ago.shape == (118,)
    assert np.isnan(ago[:55]).all()
    assert ago[[55, 103]].tolist() == [3, 51]
    assert ago[[104, 106]].tolist() == [52, 54]  # two years before nothing was known
    assert ago[[107, 117]].tolist() == [(55 + 3) / 2, (65 + 13) / 2]


def test_unknown_weeks_are_left_out_of_the_mean():
    deviation = np.zeros((1, 110))
    deviation[0, 53] = np.nan
    deviation[0, 1] = 4.0
    assert past_deviations(deviation, 8)[0, 105] == 4.0


def test_a_year_like_no_other_is_not_repeated():
    weeks = 52 * 3 + 20
    season = np.sin(2 * np.pi * np.arange(weeks + 8) / 52)
    deviation = season[None, :weeks].copy()
    deviation[0, 52:104] += 3.0  # a pandemic in the second year
    ahead = past_deviations(deviation, 8)[0, 52 * 3 :]
    # Both other years of the coming weeks, and each of them alone, show the season.
    assert ahead == pytest.approx(season[52 * 3 :], abs=1e-9)


@settings(max_examples=15)
@given(origin=st.integers(110, WEEKS - 2), horizon=st.integers(1, 26), quantity=st.sampled_from([1.0, 1e6]))
def test_the_season_of_a_target_week_uses_nothing_after_its_origin(origin, horizon, quantity):
    after = HISTORY["week"] > str(add_weeks(FIRST, origin))
    poisoned = HISTORY.assign(quantity=HISTORY["quantity"].mask(after, quantity))
    assert after.any()
    (one, _), (other, _) = split(HISTORY, horizon=horizon), split(poisoned, horizon=horizon)
    until = origin + horizon + 1
    assert one[..., :until].any()
    np.testing.assert_allclose(one[..., :until], other[..., :until], rtol=0, atol=1e-9)


def test_a_horizon_of_28_weeks_would_use_the_week_after_its_origin():
    """Without this, the test above would also pass for a season that uses no data."""
    before = HISTORY["week"] >= str(add_weeks(FIRST, 140))
    changed = HISTORY.assign(quantity=HISTORY["quantity"].mask(before, 1e6))
    (one, _), (other, _) = split(HISTORY, horizon=28), split(changed, horizon=28)
    assert not np.allclose(one[..., 139 + 28], other[..., 139 + 28], atol=1e-3)


def test_components_add_up_to_the_past_deviation_of_the_series():
    ago, deviation = split(HISTORY)
    assert ago.shape == (len(COMPONENTS), len(deviation), WEEKS + 26)
    own = past_deviations(deviation, 26)
    of = {name: ago[i] for i, name in enumerate(COMPONENTS)}
    np.testing.assert_allclose(
        (of["category"] + of["part"] + of["own"])[np.isfinite(own)], own[np.isfinite(own)], atol=1e-9
    )


def test_a_young_region_has_the_season_of_its_part_and_none_of_its_own():
    young = HISTORY[(HISTORY["part_id"] == "P00") & (HISTORY["region"] == "R0")]
    young = young[young["week"] >= str(add_weeks(FIRST, 150))].assign(region="R9")
    panel = panel_of(both := pd.concat([HISTORY, young]))
    ago, _ = split(both)
    of_part = panel.series["part_id"] == "P00"
    row = {r: np.flatnonzero(of_part & (panel.series["region"] == r)) for r in ("R0", "R9")}
    at = dict(zip(COMPONENTS, ago[:, :, 150:], strict=True))
    assert (at["part"][row["R9"]] != 0).all()
    np.testing.assert_array_equal(at["part"][row["R9"]], at["part"][row["R0"]])
    assert (at["own"][row["R9"]] == 0).all()
    assert (at["own"][row["R0"]] != 0).any()


def test_the_prior_is_used_where_no_season_was_observed_twice():
    ago = np.zeros((len(COMPONENTS), 5, 40))
    assert fit_season(ago, np.ones((5, 40))).tolist() == list(PRIOR)
    assert fit_season(ago + 1, np.full((5, 40), np.nan)).tolist() == list(PRIOR)
    assert fit_season(ago[:, :0], np.ones((0, 40))).tolist() == list(PRIOR)


@pytest.mark.parametrize("coefficient", [1.0, 0.5, 0.0, -0.5])
def test_the_coefficients_of_simulated_data_are_estimated(coefficient):
    rng = np.random.default_rng(5)
    ago = rng.normal(0, 0.3, (len(COMPONENTS), 60, 1000))
    true = np.array([coefficient, 0.2, 0.8, coefficient / 2])
    deviation = np.einsum("c,cnt->nt", true, ago) + rng.normal(0, 0.2, (60, 1000))
    # The prior still counts for 26 of 1026 weeks.
    np.testing.assert_allclose(fit_season(ago, deviation), true, atol=0.05)


def test_the_coefficients_move_from_the_prior_to_the_data_with_more_weeks():
    rng = np.random.default_rng(6)
    found = []
    for weeks in (3, 26, 260):
        ago = rng.normal(0, 0.3, (len(COMPONENTS), 50, weeks))
        found.append(fit_season(ago, np.zeros((50, weeks))))
    share = np.array(found) / PRIOR
    np.testing.assert_allclose(share, np.array([26 / 29, 0.5, 26 / 286])[:, None].repeat(4, axis=1), atol=0.1)


def test_many_years_of_noise_have_no_season_and_a_season_is_recognised():
    rng = np.random.default_rng(7)
    for noise, low, high in ((0.05, 0.9, 1.1), (None, -0.1, 0.1)):
        season, log_demand = seasonal(rng, 52 * 12, noise or 0.3)
        demand = 100 * np.exp(log_demand if noise else log_demand - season)
        deviation = deviations(demand, 0)
        own = np.nan_to_num(past_deviations(deviation, 0))
        ago = np.stack([np.zeros_like(own)] * 3 + [own])
        assert low < fit_season(ago, deviation)[3] < high


def test_steady_series_count_for_more():
    rng = np.random.default_rng(8)
    ago = rng.normal(0, 0.2, (len(COMPONENTS), 2, 2000))
    deviation = ago[3].copy()
    deviation[1] = rng.normal(0, 5, 2000)  # this series has no season, and is wild
    assert fit_season(ago, deviation)[3] > 0.9


def test_group_totals_are_the_sums_of_all_series_by_week():
    totals, panel = GroupTotals.from_history(HISTORY), panel_of(HISTORY)
    for level in ("part_category", "region"):
        names = pd.Index(sorted(HISTORY[level].unique()))
        expected = HISTORY.pivot_table(index=level, columns="week", values="quantity", aggfunc="sum")
        weeks = pd.date_range(str(FIRST), periods=WEEKS, freq="7D")
        expected = expected.reindex(index=names, columns=weeks).fillna(0.0)
        np.testing.assert_allclose(totals.demand(level, names, panel), expected)


def test_totals_outside_the_panel_and_of_other_groups_are_left_out():
    totals = GroupTotals.from_history(HISTORY)
    some = Panel.from_history(HISTORY, add_weeks(FIRST, 10), add_weeks(FIRST, 12))
    found = totals.demand("region", pd.Index(["R1", "nowhere"]), some)
    whole = totals.demand("region", pd.Index(["R1"]), panel_of(HISTORY))
    np.testing.assert_allclose(found, np.stack([whole[0, 10:13], np.zeros(3)]))


def test_a_name_that_is_a_category_and_a_region_is_kept_apart():
    table = pd.DataFrame(
        {"part_id": ["A", "B"], "part_category": ["x", "y"], "region": ["y", "y"], "quantity": [1.0, 2.0]}
    ).assign(week=pd.Timestamp(FIRST))
    totals, panel = GroupTotals.from_history(table), Panel.from_history(table, FIRST, FIRST)
    assert totals.demand("part_category", pd.Index(["x", "y"]), panel).tolist() == [[1], [2]]
    assert totals.demand("region", pd.Index(["x", "y"]), panel).tolist() == [[0], [3]]


#: Coefficients of a season that was fitted to ordinary weeks.
ORDINARY = np.array([[0.4, 0.0, 0.4, 0.0]])
#: That the part of the one series is ordered often.
FREQUENT = np.array([False])


def first_season(known_weeks: int, component: str = "category") -> tuple[np.ndarray, np.ndarray]:
    """Past deviations of one series: small ones in `known_weeks` weeks, then eight with a peak; and those weeks."""
    past = np.zeros((len(COMPONENTS), 1, known_weeks + 8))
    past[COMPONENTS.index(component)] = np.where(np.arange(known_weeks + 8) % 2, 0.1, -0.1)
    past[COMPONENTS.index(component), 0, -4] = 0.5
    return past, np.arange(known_weeks, known_weeks + 8)


def test_a_large_deviation_of_a_first_season_recurs_and_a_usual_one_as_fitted():
    past, ahead = first_season(YEAR_WEEKS - 8)
    season = shared_season(past, ORDINARY, ahead[0] - 1, FREQUENT, FREQUENT)[0, ahead]
    assert season[4] == pytest.approx(0.9 * 0.5, rel=0.01)
    assert (np.abs(np.delete(season, 4)) > 0.4 * 0.1).all()
    assert (np.abs(np.delete(season, 4)) < 0.8 * 0.1).all()


@pytest.mark.parametrize(("component", "recurring"), [("category", 0.9), ("part", 0.4)])
def test_a_large_deviation_recurs_for_a_rarely_ordered_part_only_if_its_category_has_it(component, recurring):
    past, ahead = first_season(YEAR_WEEKS - 8, component)
    season = shared_season(past, ORDINARY, ahead[0] - 1, FREQUENT, ~FREQUENT)[0, ahead]
    assert season[4] == pytest.approx(recurring * 0.5, rel=0.01)


def test_a_peak_of_a_first_season_recurs_without_any_other_season():
    past, ahead = first_season(YEAR_WEEKS - 8)
    peaks = first_peaks(past, ahead[0] - 1, FREQUENT)[0, ahead]
    assert peaks[4] == pytest.approx(0.9 * 0.5, rel=0.01)
    assert (np.abs(np.delete(peaks, 4)) < 0.1 * 0.1).all()


@pytest.mark.parametrize(("of_part", "recurring"), [(0.3, 0.9), (0.1, 0.36), (0.0, 0.0), (-0.2, 0.0)])
def test_a_part_that_had_less_than_half_of_the_peak_of_its_category_repeats_less_of_it(of_part, recurring):
    """The order of one large part may be the peak of a small category."""
    past, ahead = first_season(YEAR_WEEKS - 8)
    past[COMPONENTS.index("part"), 0, -4] = of_part - 0.5
    peaks = first_peaks(past, ahead[0] - 1, FREQUENT)[0, ahead]
    assert peaks[4] == pytest.approx(recurring * 0.5, abs=0.01)


@pytest.mark.parametrize(
    ("known_weeks", "component", "sparse"),
    [(YEAR_WEEKS, "category", False), (YEAR_WEEKS - 8, "part", False), (YEAR_WEEKS - 8, "category", True)],
)
def test_no_peak_recurs_after_a_year_nor_of_a_part_alone_nor_of_a_rarely_ordered_category(
    known_weeks, component, sparse
):
    past, ahead = first_season(known_weeks, component)
    assert not first_peaks(past, ahead[0] - 1, np.array([sparse])).any()


def test_a_part_is_sparse_only_if_it_is_rarely_ordered_in_all_regions_together():
    """Each of its six regions orders in every sixth week."""
    weeks = YEAR_WEEKS + 40
    demand = np.zeros((6, weeks))
    demand[np.arange(weeks) % 6, np.arange(weeks)] = 10.0
    lone = np.where(np.arange(weeks) % 6 == 0, 10.0, 0.0)
    rows = [("P", f"R{i}", row) for i, row in enumerate(demand)] + [("LONE", "R0", lone)]
    history = pd.concat(
        [
            pd.DataFrame(
                {
                    "part_id": part,
                    "region": region,
                    "part_category": part,
                    "week": pd.to_datetime([add_weeks(FIRST, int(w)) for w in np.flatnonzero(row)]),
                    "quantity": row[row > 0],
                }
            )
            for part, region, row in rows
        ]
    ).astype({"week": "datetime64[ns]"})
    panel = Panel.from_history(history, FIRST, add_weeks(FIRST, weeks - 1))
    totals, part = panel.part_totals()
    assert totals.sum(axis=1).tolist() == [lone.sum(), demand.sum()]
    assert part.tolist() == [0, *[1] * 6]
    assert is_sparse(panel.demand, weeks - 1).all()
    assert is_sparse(totals, weeks - 1).tolist() == [True, False]


def test_a_season_that_has_come_round_is_as_fitted():
    past, ahead = first_season(YEAR_WEEKS)
    season = shared_season(past, ORDINARY, ahead[0] - 1, FREQUENT, FREQUENT)
    np.testing.assert_allclose(season, 0.4 * past[COMPONENTS.index("category")])


def test_what_is_usual_does_not_depend_on_later_weeks():
    past, ahead = first_season(YEAR_WEEKS - 8)
    poisoned = past.copy()
    poisoned[..., ahead[5] :] = 5.0
    both = [
        shared_season(p, ORDINARY, ahead[0] - 1, FREQUENT, FREQUENT)[0, ahead[:5]] for p in (past, poisoned)
    ]
    np.testing.assert_array_equal(*both)
