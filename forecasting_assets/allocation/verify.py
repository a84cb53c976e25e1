"""Checks that every plan must pass, on the tables as stored."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.instance import COST_PARTS, LOT, NEGLIGIBLE_QUANTITY, Instance
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.findings import Finding
from forecasting_assets.tables import PLAN_SHORTAGES, SERIES
from forecasting_assets.wording import count, listed

#: Relative tolerance of all checks; the solver's own is 1e-7.
TOLERANCE = 1e-6


def check_capacity(capacity_load: pd.DataFrame) -> Finding:
    """Check that no manufacturer works more regular or overtime hours in a week than available."""
    load = capacity_load
    regular = load["load_hours"] - load["overtime_hours"]
    scale = (
        max(float((load["capacity_hours"] + load["overtime_capacity_hours"]).max()), 1.0)
        if len(load)
        else 1.0
    )
    excess = np.maximum.reduce(
        [
            regular - load["capacity_hours"],
            load["overtime_hours"] - load["overtime_capacity_hours"],
            -regular,
            -load["overtime_hours"],
        ]
    )
    ok = excess <= TOLERANCE * scale  # False for NaN too
    description = "all hours are within capacity"
    if not ok.all():
        worst = load[~ok].iloc[0]
        description = (
            f"{(~ok).sum()} of {len(load)} manufacturer weeks are over capacity, the first is "
            f"{worst['manufacturer_id']} in {pd.Timestamp(worst['production_week']):%Y-%m-%d}"
        )
    planned = load[load["beyond_horizon"] == 0]
    total = float(planned["capacity_hours"].sum())
    return Finding(
        bool(ok.all()),
        description,
        {
            "rows_over_capacity": int((~ok).sum()),
            "largest_excess_hours": float(np.nan_to_num(np.max(excess, initial=0.0), nan=np.inf)),
            "utilisation": float(planned["load_hours"].sum()) / total if total else 0.0,
        },
    )


def check_balance(
    plan: pd.DataFrame, shortages: pd.DataFrame, demand: pd.DataFrame, spare: bool = False
) -> Finding:
    """Check that every unit of demand is planned or short once, no amount is negative, and costs add up.

    Each part, region and due week is judged by its own demand. Demand of at most NEGLIGIBLE_QUANTITY units counts as
    zero, and is named.

    Parameters
    ----------
    plan, shortages
        ALLOCATION_PLAN without fixed production, and PLAN_SHORTAGES.
    demand
        part_id, region, due_week, quantity: the units planned for.
    spare
        Whether planned units may exceed demand, as in a plan for scenarios.
    """
    key = list(PLAN_SHORTAGES.key)
    negligible = (demand["quantity"] > 0) & (demand["quantity"] <= NEGLIGIBLE_QUANTITY)
    sides = {"demanded": demand[~negligible], "planned": plan, "short": shortages}
    units = pd.concat({name: _by_key(table, key) for name, table in sides.items()}, axis=1).fillna(0.0)
    gap = units["demanded"] - units["planned"] - units["short"]
    gap = gap.clip(lower=0) if spare else gap.abs()
    unbalanced = ~(gap <= TOLERANCE * units["demanded"] + TOLERANCE * NEGLIGIBLE_QUANTITY)
    amounts = [plan[["quantity", *COST_PARTS]], shortages[["quantity"]]]
    negative = sum(int((~(table >= 0)).any(axis=1).sum()) for table in amounts)
    cost_gap = (plan["cost"] - plan[COST_PARTS].sum(axis=1)).abs()
    wrong_cost = int((~(cost_gap <= TOLERANCE * np.maximum(plan["cost"].abs(), 1.0))).sum())
    wrong = {
        "series weeks out of balance": int(unbalanced.sum()),
        "rows with a negative or missing amount": negative,
        "rows whose cost is not the sum of its parts": wrong_cost,
    }
    description = "; ".join(f"{n} {what}" for what, n in wrong.items() if n)
    if unbalanced.any():
        part, region, due = units.index[unbalanced][0]
        description += f"; the first: part {part} in {region}, due {due:%Y-%m-%d}"
    small = int(negligible.sum())
    if small:
        description += "; " if description else "planned and short units add up to the demand; "
        description += (
            f"{count(small, 'series week')} of at most {NEGLIGIBLE_QUANTITY:f} units counted as zero"
        )
    return Finding(
        not any(wrong.values()),
        description or "planned and short units add up to the demand",
        {
            **{what.replace(" ", "_"): n for what, n in wrong.items()},
            "series_weeks_counted_as_zero": small,
            "largest_gap_units": float(gap.max()) if len(gap) else 0.0,
        },
    )


def check_published(
    plan: pd.DataFrame, load: pd.DataFrame, exact: AllocationPlan, instance: Instance, whole_units: bool
) -> Finding:
    """Check that the published rows are the exact plan, in whole units if asked for.

    Rows must be whole; by manufacturer, week, category and region they must be less than a unit from the exact plan;
    their costs must add up; and their hours must be those of the capacity load.

    Parameters
    ----------
    plan, load
        ALLOCATION_PLAN and CAPACITY_LOAD, without fixed production.
    exact
        The exact plan, of `plan.exact_plan`.
    instance
        The problem, built again.
    whole_units
        Whether the rows are to be whole; if not, they must equal the exact plan.
    """
    quantity = plan["quantity"].to_numpy(float)
    lots = pd.concat([t.groupby(LOT)["quantity"].sum() for t in (plan, exact.plan)], axis=1).fillna(0.0)
    gap = (lots.iloc[:, 0] - lots.iloc[:, 1]).abs().to_numpy()
    allowed = 1 + TOLERANCE if whole_units else TOLERANCE * np.maximum(lots.iloc[:, 1].to_numpy(), 1.0)
    cost_gap = (plan["cost"] - plan[COST_PARTS].sum(axis=1)).abs()
    batches = instance.batches.assign(**instance.slots.iloc[instance.batches["slot"]].reset_index(drop=True))
    hours_of = batches.set_index(LOT[:3])["hours_per_unit"]
    worked = quantity * hours_of.reindex(pd.MultiIndex.from_frame(plan[LOT[:3]])).to_numpy()
    hours = plan.assign(hours=worked).groupby(LOT[:2])["hours"].sum()
    loaded = load.set_index(LOT[:2])["load_hours"]
    hours_gap = (loaded - hours.reindex(loaded.index).fillna(0.0)).abs()
    wrong = {
        "rows are not whole units": int((quantity != np.round(quantity)).sum()) if whole_units else 0,
        "lots are a unit or more from the exact plan": int((~(gap <= allowed)).sum()),
        "rows whose cost is not the sum of its parts": int(
            (~(cost_gap <= TOLERANCE * np.maximum(plan["cost"].abs(), 1.0))).sum()
        ),
        "manufacturer weeks whose hours differ from their rows": int(
            (~(hours_gap <= TOLERANCE * np.maximum(loaded, 1.0))).sum()
        ),
    }
    added = float(plan["cost"].sum() - exact.plan["cost"].sum())
    rows = "rows are whole units" if whole_units else "rows equal the exact plan"
    return Finding(
        not any(wrong.values()),
        "; ".join(f"{n} {what}" for what, n in wrong.items() if n)
        or f"{rows}; rounding changes their cost by {added:,.2f}",
        {"largest_gap_units": float(gap.max(initial=0.0)), "cost_of_rounding": added},
    )


def check_certificate(certificate: Certificate) -> Finding:
    """Check that the tables are a feasible plan and no plan is cheaper."""
    limit = max(TOLERANCE, certificate.allowed_gap)
    faults = [str(violation) for violation in certificate.violations]
    if not abs(certificate.gap) <= limit:
        faults.append(f"the cost is {certificate.gap:.2%} above its lower bound; {limit:.4%} is allowed")
    proved = {
        "duality": "proved optimal from the tables",
        "branch_and_bound": f"all rules are kept in the tables; within {certificate.gap:.3%} of the bound that the "
        "branch and bound of the solver reports",
        "scenarios": "expected amounts are possible, and the program of all scenarios is solved within "
        f"{max(certificate.gap, 0.0):.3%} of its bound",
    }
    return Finding(
        not faults,
        proved[certificate.method] if not faults else f"the plan is not proved: {'; '.join(faults)}",
        certificate.to_dict(),
    )


def check_rules_kept(rules: pd.DataFrame) -> Finding:
    """Check that no rule of the marketplace had to be relaxed; relaxed rules are named."""
    relaxed = rules[rules["eased"] > 0]
    words = [
        f"{rule['rule']} of {rule['subject']} ({rule['limit']:,.1f}) had to be relaxed by {rule['eased']:,.1f}"
        + (
            f": it contradicts {rule['contradicts']}"
            if rule["contradicts"]
            else ": demand and available hours do not allow it"
        )
        for rule in relaxed.to_dict("records")
    ]
    return Finding(
        relaxed.empty,
        "; ".join(words) or f"{len(rules)} limits set by rules, all kept",
        {"rules": len(rules), "rules_given_up": len(relaxed)},
    )


def check_locks_kept(plan: pd.DataFrame, report: pd.DataFrame | None) -> Finding:
    """Check that what planners locked and what is held for promises is in the plan; what is not is named.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN.
    report
        What of each commitment can stand, in the columns `commitments.REPORT`; None if there is none.
    """
    if report is None or report.empty:
        return Finding(True, "nothing is locked or held", {"commitments": 0, "units_missing": 0.0})
    made = report[report["manufacturer_id"] != ""]
    expected = made[made["planned"] > 0].groupby(LOT)["planned"].sum()
    missing = expected - plan.groupby(LOT)["locked_quantity"].sum().reindex(expected.index).fillna(0.0)
    cut = report[report["why"] != ""]
    lines = [
        f"{row['kind']} of {row['quantity']:,.6g} {row['part_id'] or row['part_category']} for {row['region']}"
        f" from {row['manufacturer_id'] or 'stock'}: {row['planned']:,.6g} planned, {row['why']}"
        for row in cut.to_dict("records")
    ]
    lines += [
        f"{row['manufacturer_id']}, {row['part_category']} for {row['region']} in {row['production_week']:%Y-%m-%d}: "
        f"{row['units']:,.6g} units are missing in the plan"
        for row in missing[missing > TOLERANCE * expected].rename("units").reset_index().to_dict("records")
    ]
    return Finding(
        not lines,
        listed(lines, 10, "\n") or f"{len(report)} locks and promises, all kept",
        {
            "commitments": len(report),
            "units_missing": float(
                (report["quantity"] - report["planned"]).sum() + missing.clip(lower=0).sum()
            ),
        },
    )


def check_shortages(shortages: pd.DataFrame, demand: pd.DataFrame, limit: float) -> Finding:
    """Check that at most the share `limit` of the demand is short."""
    demanded, short = float(demand["quantity"].sum()), float(shortages["quantity"].sum())
    share = short / demanded if demanded else float(short > 0)
    description = f"{share:.1%} of the demand is short; the limit is {limit:.1%}"
    if share > limit:
        largest = shortages.groupby(SERIES)["quantity"].sum().nlargest(5).reset_index()
        parts = [f"{row.part_id} in {row.region} ({row.quantity:,.0f} units)" for row in largest.itertuples()]
        description += f"; most of all {listed(parts, 5)}"
    return Finding(
        share <= limit,
        description,
        {"shortage_share": share, "shortage_units": short, "demand_units": demanded},
    )


def check_servable(demand: pd.DataFrame, unservable: Mapping[tuple[str, str], str]) -> Finding:
    """Check that all demand can be produced and delivered.

    Parameters
    ----------
    demand
        part_id, part_category, region and quantity.
    unservable
        (part_category, region) -> why no manufacturer can serve it.
    """
    keys = pd.MultiIndex.from_frame(demand[["part_category", "region"]])
    rows = demand[keys.isin(list(unservable)) & (demand["quantity"] > 0)]
    if rows.empty:
        return Finding(True, "all demand can be served", {"unservable_units": 0.0})
    lines = []
    for (category, region), why in unservable.items():
        group = rows[(rows["part_category"] == category) & (rows["region"] == region)]
        if group.empty:
            continue
        parts = sorted(group["part_id"].unique())
        units = group["quantity"].sum()
        lines.append(f"{category} for {region} ({listed(parts, 5)}; {units:,.1f} units): {why}")
    return Finding(
        False,
        "\n".join(
            [f"No manufacturer can serve some of the demand, which stays unmet. {lines[0]}", *lines[1:10]]
        ),
        {"unservable_units": float(rows["quantity"].sum()), "unservable_parts": rows["part_id"].nunique()},
    )


def check_manufacturers_used(unused: Mapping[str, str]) -> Finding:
    """Check that every manufacturer can serve some demand.

    Parameters
    ----------
    unused
        The result of `network.unused_manufacturers`.
    """
    lines = [f"{name}: {why}" for name, why in unused.items()]
    return Finding(
        not lines,
        listed(lines, 10, "\n") or "every manufacturer makes something and has a lane",
        {"unused_manufacturers": len(lines)},
    )


def check_priced_parts(without_demand: Mapping[str, list[str]]) -> Finding:
    """Check that parts with prices and priorities of their own are in demand.

    Parameters
    ----------
    without_demand
        The result of `worth.parts_without_demand`.
    """
    words = [f"[{setting}] names {listed(parts, 5)}" for setting, parts in without_demand.items()]
    return Finding(
        not words,
        f"{'; '.join(words)}: not in demand; correct or remove the names"
        if words
        else "all named parts are in demand",
        {"parts_without_demand": sum(map(len, without_demand.values()))},
    )


def _by_key(table: pd.DataFrame, key: list[str]) -> pd.Series:
    return table.assign(due_week=pd.to_datetime(table["due_week"])).groupby(key)["quantity"].sum()
