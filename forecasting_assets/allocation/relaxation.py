"""Relax rows of a program that contradict each other, by as little as possible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecasting_assets.allocation.program import Program, incidence, solve


def relaxed(program: Program, soft: np.ndarray, time_limit: float) -> tuple[Program, np.ndarray, np.ndarray]:
    """Relax rows of a_ub by as little as makes the program feasible.

    Elastic programming (Chinneck, *Feasibility and Infeasibility in Optimization*, 2008, ch. 6): each soft row gets a
    slack, and the sum of the slacks, each relative to the scale of its row, is minimised.

    Parameters
    ----------
    program
        An infeasible program.
    soft
        Positions of the rows of a_ub that may be relaxed, (soft,).
    time_limit
        Seconds that an integer program may take.

    Returns
    -------
    tuple
        The relaxed program; by how much each row of a_ub is relaxed, (rows,) in units of b_ub; and whether each soft
        row takes part in the contradiction, (soft,): its multiplier is not 0 (a Farkas proof needs no other rows).

    Raises
    ------
    AllocationError
        If the other rows contradict each other (InfeasibleError), or as for `solve`.
    """
    from scipy import sparse

    scale = np.where(program.b_ub[soft] != 0, np.abs(program.b_ub[soft]), 1.0)
    elastic = replace(
        program,
        c=np.concatenate([np.ones(soft.size), np.zeros(program.c.size)]),
        a_eq=sparse.hstack([sparse.csr_array((program.b_eq.size, soft.size)), program.a_eq], format="csr"),
        a_ub=sparse.hstack([incidence(soft, program.b_ub.size, -scale), program.a_ub], format="csr"),
    )
    solution = solve(elastic, time_limit, gap=1e-6)
    slack = solution.x[: soft.size]
    relaxation = np.zeros(program.b_ub.size)
    # Add a tolerance: rounding could otherwise leave no feasible point.
    relaxation[soft] = np.where(slack > 1e-7, slack * (1 + 1e-7) * scale, 0.0)
    return replace(program, b_ub=program.b_ub + relaxation), relaxation, solution.y_ub[soft] > 1e-9
