"""Find the cheapest plan for a demand, and prove that it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.allocation.arguments import check_demand
from forecasting_assets.allocation.certificate import Certificate, certify
from forecasting_assets.allocation.comparison import Comparison, PlanClaim, compare
from forecasting_assets.allocation.conditions import differences
from forecasting_assets.allocation.explain import explain
from forecasting_assets.allocation.fixed_production import fix_production
from forecasting_assets.allocation.formulate import check_rules, formulate
from forecasting_assets.allocation.instance import Instance, build_instance
from forecasting_assets.allocation.netting import Netting
from forecasting_assets.allocation.network import Network, check_network, unservable
from forecasting_assets.allocation.plan import (
    AllocationPlan,
    Decision,
    balance,
    to_plan,
    to_whole_units,
    zero_small_amounts,
)
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.problem import PlanInputs, Problem
from forecasting_assets.allocation.program import (
    AllocationError,
    InfeasibleError,
    Program,
    Solution,
    relative_difference,
    solve,
)
from forecasting_assets.allocation.proof import prove, stored
from forecasting_assets.allocation.proof_table import bands, label_prices, vector, vectors
from forecasting_assets.allocation.recourse import TwoStage
from forecasting_assets.allocation.relaxation import relaxed
from forecasting_assets.allocation.scenarios import QUANTILE_DRAWS, part_scenarios
from forecasting_assets.allocation.state import NEW_START, PlanningState
from forecasting_assets.allocation.warm_start import solve_two_stage
from forecasting_assets.tables import PLAN_RULES
from forecasting_assets.weeks import add_weeks


def build_problem(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState = NEW_START
) -> Problem:
    """Build the problem that `allocate` solves.

    Parameters
    ----------
    demand, network, policy, state
        As for `allocate`.

    Returns
    -------
    Problem
        Tables and program. Quantities are those planned for, less the units of the supply and of fixed production that
        serve them.

    Raises
    ------
    DemandError, NetworkError, AllocationError
        If a table is invalid, or a rule names an unknown manufacturer or part category.
    """
    if policy.uncertainty == "auto":
        raise AllocationError(
            "[allocation] uncertainty = 'auto' is decided by replaying past weeks: choose a method by choose_method, "
            "or set deterministic, quantile or stochastic"
        )
    check_network(network)
    check_demand(demand)
    check_rules(policy, network, demand)
    gross = build_instance(demand, network, policy, state.capacity)
    fixed = fix_production(demand, gross, network, policy, state)
    if fixed is not None:
        gross, state = fixed.reduced(gross), fixed.reduced_state(state)
    inputs = PlanInputs(demand, network, policy, state)
    netting = gross.netting(state.supply, policy.max_weeks_late)
    if policy.uncertainty == "deterministic" or gross.classes.empty:
        instance = gross.with_units(netting.unmet(gross.parts["quantity"].to_numpy()))
        formulation = formulate(instance, policy, network, state.previous)
        return Problem(instance, formulation, formulation.program, None, inputs, fixed)
    draws = policy.scenarios if policy.uncertainty == "stochastic" else QUANTILE_DRAWS
    scenarios = part_scenarios(gross.parts, demand, policy, draws, state.correlations)
    drawn, mean = _net_scenarios(gross, netting, scenarios)
    if policy.uncertainty == "quantile":
        # Of parts that are rarely ordered, a quantile can be zero where the mean is not.
        units = np.maximum(np.quantile(drawn, policy.service_level, axis=0), drawn.mean(axis=0))
        instance = gross.with_units(mean, units)
        formulation = formulate(instance, policy, network, state.previous)
        return Problem(instance, formulation, formulation.program, None, inputs, fixed)
    return replace(_two_stage_problem(gross.with_units(mean), drawn, inputs), fixed=fixed)


def _net_scenarios(
    gross: Instance, netting: Netting, scenarios: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the unmet units of each class in each scenario, (scenarios, classes), and their mean by part, (parts,)."""
    class_, classes = gross.parts["class"].to_numpy(), len(gross.classes)
    of_classes, total = [], np.zeros(class_.size)
    for units in scenarios:
        unmet = netting.unmet(units)
        total += unmet
        of_classes.append(np.bincount(class_, unmet, minlength=classes))
    return np.array(of_classes), total / len(of_classes)


def _two_stage_problem(instance: Instance, drawn: np.ndarray, inputs: PlanInputs) -> Problem:
    """Return the problem in which the first production weeks are decided before demand, `drawn`, is known."""
    policy, weeks = inputs.policy, instance.slots["production_week"]
    committed = (weeks < pd.Timestamp(add_weeks(weeks.min(), policy.committed_weeks))).to_numpy()
    formulation = formulate(instance, policy, inputs.network, inputs.state.previous, committed)
    base = formulation.program
    now = np.zeros(base.c.size, dtype=bool)
    now[base.columns["lots"]] = True
    now[base.c.size - base.binaries :] = True
    stages = TwoStage(base, now, drawn, policy.cvar_level if policy.risk == "cvar" else None)
    return Problem(instance, formulation, stages.program, stages, inputs)


def planned_units(problem: Problem) -> pd.DataFrame:
    """Return the units planned for, by part_id, region and due_week: the mean, the quantile, or the scenarios' mean.

    Demand that is too small to be planned for is included.
    """
    return problem.basis.demand[["part_id", "region", "due_week", "quantity"]]


def allocate(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState = NEW_START
) -> AllocationPlan:
    """Find the cheapest plan for `demand`, with its proof.

    Demand that cannot be produced or delivered within the available hours is shortage. Rules that contradict each
    other are relaxed by as little as possible: the plan then has status `relaxed`, and `rules` names them.

    Parameters
    ----------
    demand
        part_id, part_category, region, due_week (Mondays), quantity (units)[, unit_price]. If `policy` plans for a
        quantile or for scenarios, also the quantiles of the forecast in units (`tables.QUANTILES`).
    network, policy
        The network, and the costs, limits and rules.
    state
        Hours, the plan before, and units in stock and on their way, which serve demand before anything is made.

    Returns
    -------
    AllocationPlan
        The plan with its reasons, rules, certificate and proof.

    Raises
    ------
    DemandError, NetworkError
        If a table is invalid.
    AllocationError
        If a rule names an unknown manufacturer or category, or the solver fails or finds no plan in its time limit.
    """
    solved = _solve_problem(build_problem(demand, network, policy, state))
    plan = replace(_published(solved), rules=_rules(solved), proof=_proof(solved))
    claim = PlanClaim.of(plan)
    found = compare_plan(solved.problem, claim)
    return replace(
        plan,
        reasons=explain(found, unservable(network, demand)),
        certificate=_certificate(solved.problem, claim, found),
    )


def compare_plan(problem: Problem, claim: PlanClaim) -> Comparison:
    """Put the tables of a plan, without its fixed production, beside the independent model of its problem."""
    return compare(problem.basis, problem.fixed.remove_from_claim(claim) if problem.fixed else claim)


def certify_plan(problem: Problem, claim: PlanClaim) -> Certificate:
    """Certify a plan from its stored tables, and the problem built again.

    The tables are held against a model that is independent of the program (`proof.prove`). Of a plan for scenarios
    they hold expected amounts; there the program of all scenarios is proved with its own matrices in addition.

    Parameters
    ----------
    problem
        The result of `build_problem` for the input of the plan.
    claim
        The tables of the plan.

    Returns
    -------
    Certificate
        What is violated, the cost, and the bound that no plan is below.
    """
    return _certificate(problem, claim, compare_plan(problem, claim))


def _certificate(problem: Problem, claim: PlanClaim, found: Comparison) -> Certificate:
    """Return the certificate of a plan; `found` is the result of `compare_plan`."""
    certificate = prove(found)
    if not problem.stages:
        return certificate
    program, proof = problem.program, claim.proof
    solution = Solution(
        x=vector(proof, "x", program.c.size),
        y_eq=vector(proof, "y_eq", program.b_eq.size),
        y_ub=vector(proof, "y_ub", program.b_ub.size),
        bound=stored(proof, "bound"),
        gap=stored(proof, "gap"),
        status="",
    )
    relaxed_program = replace(program, b_ub=program.b_ub + vector(proof, "eased", program.b_ub.size))
    of_program = certify(relaxed_program, solution)
    decision = zero_small_amounts(problem.instance, _decision(problem, solution))
    expected = to_plan(problem.instance, decision, "")
    return replace(
        of_program,
        allowed_gap=max(problem.policy.mip_gap, solution.gap) if program.binaries else 0.0,
        violations=(
            *certificate.violations,
            *differences(expected.flows, expected.shortages, claim),
            *of_program.violations,
        ),
    )


def allocate_unproven(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState = NEW_START
) -> AllocationPlan:
    """Return the plan of `allocate` without reasons, rules and proof, for callers that need only the plan.

    Parameters
    ----------
    demand, network, policy, state
        As for `allocate`.

    Returns
    -------
    AllocationPlan
        The same plan; reasons, rules and proof are empty, and the certificate is None.

    Raises
    ------
    DemandError, NetworkError, AllocationError
        As for `allocate`.
    """
    return _published(_solve_problem(build_problem(demand, network, policy, state)))


@dataclass(frozen=True)
class _SolvedProblem:
    """A solved problem: by how much each row of a_ub (`eased_rows`) and each rule (`relaxation`) was relaxed."""

    problem: Problem
    solution: Solution
    decision: Decision
    plan: AllocationPlan
    eased_rows: np.ndarray
    relaxation: np.ndarray
    contradicts: str


def _solve_problem(problem: Problem) -> _SolvedProblem:
    policy, program, rules = problem.policy, problem.program, problem.formulation.rules
    relaxation, contradicts = np.zeros(len(rules)), ""
    try:
        solution = _solve(problem, program)
    except InfeasibleError as error:
        if rules.empty:
            raise AllocationError(f"no plan is possible, although no rule is set: {error}") from error
        program, by_row, in_conflict = relaxed(program, problem.rule_rows(), policy.time_limit)
        relaxation = by_row[problem.rule_rows()].reshape(-1, len(rules)).max(axis=0)
        involved = in_conflict.reshape(-1, len(rules)).any(axis=0) & (relaxation == 0)
        contradicts = "; ".join((rules["rule"] + " of " + rules["subject"])[involved])
        solution = _solve(problem, program)
    decision = _decision(problem, solution)
    if not problem.stages:
        decision = balance(problem.instance, decision)
    decision = zero_small_amounts(problem.instance, decision)
    status = "relaxed" if relaxation.any() else "time_limit" if solution.status != "optimal" else "optimal"
    plan = to_plan(problem.instance, decision, status)
    total, gap = plan.cost["total"], solution.gap
    if program.binaries and not problem.stages:
        gap = relative_difference(total - solution.bound, total)
    plan = replace(plan, gap=gap)
    return _SolvedProblem(
        problem, solution, decision, plan, program.b_ub - problem.program.b_ub, relaxation, contradicts
    )


def _solve(problem: Problem, program: Program) -> Solution:
    """Solve the program of a problem, or the same with other right-hand sides, by the fastest method for its kind."""
    policy = problem.policy
    if problem.stages and not program.binaries:
        return solve_two_stage(problem.stages, program, policy.time_limit)
    return solve(program, policy.time_limit, policy.mip_gap)


def _published(solved: _SolvedProblem) -> AllocationPlan:
    """Return the plan in the units that the policy asks for, with the production that is fixed."""
    problem, plan = solved.problem, solved.plan
    if problem.policy.whole_units:
        plan = to_whole_units(problem.instance, solved.decision, plan)
    return problem.fixed.add_to(plan) if problem.fixed is not None else plan


def _decision(problem: Problem, solution: Solution) -> Decision:
    """Return the expected decision in terms of the instance."""
    instance, formulation = problem.instance, problem.formulation
    base, x = problem.base, solution.x
    overtime = np.zeros(len(instance.batches))
    overtime[formulation.overtime] = problem.family(x, "overtime")
    activation = np.zeros(len(instance.slots))
    cost_of = base.c[base.columns.get("active", slice(0, 0))]
    units = problem.family(x, "units")
    load = np.bincount(instance.arcs["batch"], units, minlength=len(instance.batches))
    # A search that ended at its time limit may leave a slot active in which nothing is made.
    used = np.bincount(instance.batches["slot"], load, minlength=len(instance.slots)) > 0
    activation[formulation.active] = problem.family(x, "active") * cost_of
    activation = np.where(used, activation, 0.0)
    changes = [base.c[base.columns[name]] @ problem.family(x, name) for name in _changes(base)]
    _, y_ub = problem.prices(solution)
    return Decision(
        units=units,
        overtime_units=overtime,
        short=problem.family(x, "shortage"),
        activation_cost=activation,
        change_cost=float(sum(changes)),
        shadow_price=np.maximum(y_ub[base.ub_rows["regular_hours"]], 0.0),
    )


def _changes(base: Program) -> list[str]:
    return [name for name in ("added", "dropped") if name in base.columns]


def _rules(solved: _SolvedProblem) -> pd.DataFrame:
    problem, relaxation = solved.problem, solved.relaxation
    rules = problem.formulation.rules
    row, sign = rules["row"].to_numpy(), rules["sign"].to_numpy()
    _, y_ub = problem.prices(solved.solution)
    slack = problem.base.b_ub[row] - problem.base.a_ub[row] @ problem.expected(solved.solution.x)
    planned = rules["limit"] - sign * slack
    return rules.assign(
        planned=planned,
        eased=relaxation,
        contradicts=np.where(relaxation > 0, solved.contradicts, ""),
        shadow_price=np.maximum(y_ub[row], 0.0),
    )[PLAN_RULES.names]


def _proof(solved: _SolvedProblem) -> pd.DataFrame:
    problem, solution = solved.problem, solved.solution
    listed = {"bound": np.array([solution.bound]), "gap": np.array([solution.gap])}
    if problem.stages:
        listed |= {"x": solution.x, "y_eq": solution.y_eq, "y_ub": solution.y_ub, "eased": solved.eased_rows}
    prices = label_prices(problem.instance, problem.formulation, *problem.prices(solution))
    return pd.concat([prices, bands(problem.instance), vectors(listed)], ignore_index=True)
