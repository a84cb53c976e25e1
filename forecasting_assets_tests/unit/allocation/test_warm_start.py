"""Programs with recourse started from the solutions of their scenarios have the optimum that CVXPY finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.certificate import certify
from forecasting_assets.allocation.optimal import allocate, build_problem
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError, InfeasibleError, solve
from forecasting_assets.allocation.verify import check_certificate
from forecasting_assets.allocation.warm_start import solve_two_stage
from forecasting_assets.tables import QUANTILES

from .cases import ONE_SHOP, hours_of, make_demand, problems


def uncertain(demand, seed):
    """Add quantiles that spread around the mean, differently for each row."""
    rng = np.random.default_rng(seed)
    spread = np.sort(rng.lognormal(0.0, rng.uniform(0.05, 1.5), (len(demand), len(QUANTILES))), axis=1)
    return demand.assign(
        **dict(zip(QUANTILES, (demand["quantity"].to_numpy()[:, None] * spread).T, strict=True))
    )


@settings(max_examples=8, deadline=None)
@given(
    problems(max_weeks=3),
    st.integers(2, 7),
    st.sampled_from(["expected", "cvar"]),
    st.sampled_from([0.1, 0.5, 0.7, 0.95]),
    st.sampled_from([{}, {"maximum_share": {"cnc": 0.6}}, {"minimum_load": {"M0": 0.3}}]),
    st.integers(0, 9),
)
def test_the_optimum_is_that_of_the_whole_program(case, scenarios, risk, level, rules, seed):
    demand, network, policy, weeks = case
    policy = policy.model_copy(
        update={
            "uncertainty": "stochastic",
            "scenarios": scenarios,
            "risk": risk,
            "cvar_level": level,
            "committed_weeks": 1 + seed % 2,
            **{
                k: v
                for k, v in rules.items()
                if "cnc" in v or "M0" in set(network.manufacturers["manufacturer_id"])
            },
        }
    )
    problem = build_problem(uncertain(demand, seed), network, policy, hours_of(network, weeks))
    if problem.stages is None:
        return
    try:
        expected = solve(problem.program)
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            solve_two_stage(problem.stages, problem.program, 60.0)
        return
    solution = solve_two_stage(problem.stages, problem.program, 60.0)
    finding = check_certificate(certify(problem.program, solution))
    assert finding.passed, finding
    assert solution.bound == pytest.approx(expected.bound, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mode", ["deterministic", "stochastic"])
def test_a_time_limit_that_is_too_short_is_named(mode):
    demand = make_demand([(f"p{i}", "cnc", "north", w, 5.0, 20.0 + i) for i in range(40) for w in range(8)])
    policy = AllocationPolicy(uncertainty=mode, time_limit=1e-9)
    with pytest.raises(AllocationError, match=r"no plan within the 1e-09 s of \[allocation\] time_limit"):
        allocate(uncertain(demand, 0), ONE_SHOP, policy)
