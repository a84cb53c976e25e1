"""What a plan was worth once the week has closed and its real demand is known.

One due week W is judged. The plan has committed units to it by demand class; alike parts are interchangeable
in reserved hours, as production is to order. All policies are given the same hours: those the plan did not
give to other due weeks. So they differ in what they knew of W and in how they used it.

Perfect foresight is then never dearer than any other policy, to solver tolerance, as long as making a unit
costs more than one week of its lateness (`lateness_penalty` times the unit value): cancel the units of a
commitment that reality did not use, and what is left is a plan that perfect foresight could have chosen.
Where lateness is dearer than making a unit, over-reserving buys reliability that the program does not know
of (it plans exactly the demand), and a plan from too high a forecast can come out cheaper.
"""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.instance import classify, price_classes, ways_to_serve
from forecasting_assets.allocation.network import Network, weekly_capacity
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.tables import ALLOCATION_PLAN, BUSINESS_IMPACT, QUANTILES
from forecasting_assets.weeks import add_weeks, week_index

#: Bias and noise of the forecast, in percent, under which the plan is made again.
BIASES = (-30, -20, -10, 0, 10, 20, 30)
NOISES = (10, 20, 30, 40)

COMMITTED = ["production_cost", "overtime_cost", "lane_cost", "holding_cost"]


def impact(
    week: date,
    plan: pd.DataFrame,
    capacity_load: pd.DataFrame,
    demand: pd.DataFrame,
    naive_demand: pd.DataFrame,
    actual: pd.DataFrame,
    network: Network,
    policy: AllocationPolicy,
    errors: bool = True,
) -> pd.DataFrame:
    """week, policy, metric, value: how `plan` and its alternatives did in `week` (metrics: see `replay`; and
    absolute_error, of the forecast behind a policy by demand class, in units).

    plan, capacity_load: the tables of the plan made `lead_weeks` before `week`
    demand, naive_demand: what it was made for, and the seasonal-naive forecast at the same origin, as for
        `allocate`; of the latter only `week` is used
    actual: part_id, part_category, region, quantity[, unit_price] ordered in `week`

    Policies: `plan`; `status_quo` (naive forecast, greedy); `perfect_foresight` (optimal for `actual`);
    `plan_bias_±NN`: planned as `plan`, without its rules, for the forecast of `week` scaled by that many
    percent; `plan_noise_NN`: for the forecast of each category and region times lognormal noise of mean 1 and
    that standard deviation, the same draw at every size. They only change right-hand sides: one compiled
    program serves them all. They are left out without `errors`.
    """
    if pd.Timestamp(week) not in set(capacity_load["production_week"]):
        raise ValueError(f"the plan does not reach {week}: give the one made that many weeks before it")
    policy = policy.without_rules()  # they bind the plan, not the yardstick
    certain = policy.certain()
    plan = _plan_by_class(plan)
    known = _demand_by_class(actual.assign(due_week=pd.Timestamp(week)))
    forecast = demand[demand["due_week"] == pd.Timestamp(week)]
    naive = _demand_by_class(naive_demand[naive_demand["due_week"] == pd.Timestamp(week)])
    capacity = _hours_left(plan, capacity_load, network, week)
    plans = {
        "plan": plan,
        "status_quo": allocate_greedily(naive, network, certain, capacity).plan,
        "perfect_foresight": allocate(known, network, certain, capacity).plan,
    }
    forecasts = {"plan": forecast, "status_quo": naive, "perfect_foresight": known}
    for name, factor in _errors(forecast, week, policy.seed).items() if errors else ():
        forecasts[name] = _scaled(forecast, factor)
        plans[name] = _plan_by_class(allocate(forecasts[name], network, policy, capacity).plan)
    classes = _priced(known, network, certain)
    rows = []
    for name, made in plans.items():
        outcome = _replay(made, classes, network, certain, week)
        outcome["absolute_error"] = _absolute_error(forecasts[name], known)
        rows += [(name, metric, value) for metric, value in outcome.items()]
    tidy = pd.DataFrame(rows, columns=["policy", "metric", "value"])
    return tidy.assign(week=pd.Timestamp(week))[BUSINESS_IMPACT.names]


def _errors(forecast: pd.DataFrame, week: date, seed: int) -> dict[str, np.ndarray]:
    """Factors on the rows of `forecast`, by the name of the policy that plans with them."""
    group = forecast.groupby(["part_category", "region"]).ngroup().to_numpy()
    rng = np.random.default_rng([seed, week_index(week)])
    score = rng.standard_normal(group.max(initial=-1) + 1)[group]
    factors = {f"plan_bias_{bias:+03d}": np.full(len(forecast), 1 + bias / 100) for bias in BIASES}
    for noise in NOISES:
        spread = np.sqrt(np.log1p((noise / 100) ** 2))
        factors[f"plan_noise_{noise}"] = np.exp(spread * score - spread**2 / 2)
    return factors


def _scaled(forecast: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    amounts = [c for c in ("quantity", *QUANTILES) if c in forecast]
    return forecast.assign(**{c: forecast[c] * factor for c in amounts})


def _absolute_error(forecast: pd.DataFrame, known: pd.DataFrame) -> float:
    """Units by which the forecast of category and region misses what was ordered."""
    by_class = [f.groupby(["part_category", "region"])["quantity"].sum() for f in (forecast, known)]
    return float(by_class[0].sub(by_class[1], fill_value=0.0).abs().sum())


def replay(
    plan: pd.DataFrame,
    actual: pd.DataFrame,
    network: Network,
    policy: AllocationPolicy,
    week: date,
) -> dict[str, float]:
    """Metrics of what `plan` committed to due week `week`, against the `actual` demand of that week.

    Committed units are made and paid. Of units planned to arrive, the manufacturer's on_time_rate does so in
    that week and the rest a week later; real demand takes the earliest units first. What is not reserved is short.

    demand_units, on_time_units, late_units, shortage_units, unused_units (made, but nobody ordered them)
    on_time_rate, fill_rate: on-time, and delivered, units over demand; NaN without demand
    utilisation: hours of the units somebody ordered, over one week of regular hours of every manufacturer,
        that of the last week in which it can still deliver to `week` in time on its shortest lane
    cost and its parts: production_cost, overtime_cost, lane_cost, holding_cost (committed), lateness_cost (of
        the late units), shortage_cost; prices are those of `actual`
    """
    known = _demand_by_class(actual.assign(due_week=pd.Timestamp(week)))
    policy = policy.without_rules().certain()
    return _replay(_plan_by_class(plan), _priced(known, network, policy), network, policy, week)


def _replay(
    plan: pd.DataFrame, classes: pd.DataFrame, network: Network, policy: AllocationPolicy, week: date
) -> dict[str, float]:
    """`replay` of a plan by class, against the priced classes of the real demand."""
    committed = _commitment(plan, network, week)
    class_key = ["part_category", "region"]
    classes = classes.merge(committed[class_key].drop_duplicates(), on=class_key, how="outer")
    classes = classes.fillna({"quantity": 0.0, "unit_value": 0.0, "shortage_cost": 0.0})
    committed = committed.merge(classes[class_key].reset_index(names="class"), on=class_key)

    # supply[i, k]: units of class i expected k weeks late; a unit made ahead can be delayed and yet in time
    rate = committed["on_time_rate"].to_numpy()
    usual, delayed = (np.maximum(committed["weeks_late"].to_numpy() + delay, 0) for delay in (0, 1))
    supply = np.zeros((len(classes), delayed.max(initial=0) + 1))
    np.add.at(supply, (committed["class"], usual), committed["quantity"] * rate)
    np.add.at(supply, (committed["class"], delayed), committed["quantity"] * (1 - rate))
    wanted = classes["quantity"].to_numpy()
    taken = np.diff(np.minimum(supply.cumsum(axis=1), wanted[:, None]), axis=1, prepend=0.0)
    share = np.divide(taken, supply, out=np.zeros_like(supply), where=supply > 0)
    share_used = rate * share[committed["class"], usual] + (1 - rate) * share[committed["class"], delayed]
    used_hours = float(committed["hours"] @ share_used)

    delivered = taken.sum(axis=1)
    weeks_late = taken @ np.arange(supply.shape[1])
    demand_units, on_time_units = float(wanted.sum()), float(taken[:, 0].sum())
    late_units, shortage_units = float(taken[:, 1:].sum()), float((wanted - delivered).sum())
    costs = {part: float(committed[part].sum()) for part in COMMITTED}
    costs["lateness_cost"] = float(policy.lateness_penalty * weeks_late @ classes["unit_value"])
    costs["shortage_cost"] = float((wanted - delivered) @ classes["shortage_cost"])
    hours = _deliverable_hours(network, week)
    return {
        "demand_units": demand_units,
        "on_time_units": on_time_units,
        "late_units": late_units,
        "shortage_units": shortage_units,
        "unused_units": float(np.maximum(supply - taken, 0.0).sum()),
        "on_time_rate": on_time_units / demand_units if demand_units else float("nan"),
        "fill_rate": (on_time_units + late_units) / demand_units if demand_units else float("nan"),
        "utilisation": used_hours / hours if hours else float("nan"),
        "cost": sum(costs.values()),
        **costs,
    }


def _hours_left(
    plan: pd.DataFrame, capacity_load: pd.DataFrame, network: Network, week: date
) -> pd.DataFrame:
    """The hours of `capacity_load` that `plan` (by class) did not give to other due weeks than `week`."""
    others = _with_rates(plan[plan["due_week"] != pd.Timestamp(week)], network)
    premium = others["overtime_premium"] * others["unit_cost"]
    # Free overtime leaves no trace in the costs; then only the sum of the hours matters, and it is exact.
    overtime = (others["overtime_cost"] / premium.where(premium > 0)).fillna(0.0) * others["hours_per_unit"]
    key = ["manufacturer_id", "production_week"]
    given = others.assign(overtime=overtime).groupby(key)[["hours", "overtime"]].sum()
    left = capacity_load.set_index(key)[["capacity_hours", "overtime_capacity_hours"]]
    given = given.reindex(left.index, fill_value=0.0)
    regular = (left["capacity_hours"] - given["hours"] + given["overtime"]).clip(lower=0.0)
    overtime_left = (left.sum(axis=1) - given["hours"] - regular).clip(lower=0.0)
    return left.assign(capacity_hours=regular, overtime_capacity_hours=overtime_left).reset_index()


def _priced(demand: pd.DataFrame, network: Network, policy: AllocationPolicy) -> pd.DataFrame:
    _, classes = classify(demand)
    return price_classes(classes, ways_to_serve(classes, network), policy)


def _demand_by_class(demand: pd.DataFrame) -> pd.DataFrame:
    """`demand` with one part a class, named after its category; its plan is the same and the tables short."""
    _, classes = classify(demand)
    return classes.assign(part_id=classes["part_category"])


def _plan_by_class(plan: pd.DataFrame) -> pd.DataFrame:
    """`plan` with one part a class, named after its category."""
    known = plan.assign(part_id=plan["part_category"])
    return known.groupby(list(ALLOCATION_PLAN.key), as_index=False)[["quantity", *COMMITTED]].sum()


def _commitment(plan: pd.DataFrame, network: Network, week: date) -> pd.DataFrame:
    """The rows of `plan` (by class) due in `week`, with the rates of their manufacturer and weeks_late."""
    due = plan[plan["due_week"] == pd.Timestamp(week)]
    lanes = network.lanes[["from_region", "to_region", "transit_weeks"]].rename(
        columns={"to_region": "region"}
    )
    committed = _with_rates(due, network).merge(
        lanes, left_on=["maker_region", "region"], right_on=["from_region", "region"]
    )
    made_before = (pd.Timestamp(week) - committed["production_week"]).dt.days // 7
    late = (committed["transit_weeks"] - made_before).astype(int)
    return _complete(committed.assign(weeks_late=late), due)


def _with_rates(plan: pd.DataFrame, network: Network) -> pd.DataFrame:
    """`plan` (by class) with category, hours and the manufacturer's columns (region as maker_region)."""
    rates = (
        plan.assign(part_category=plan["part_id"])
        .merge(network.manufacturers.rename(columns={"region": "maker_region"}), on="manufacturer_id")
        .merge(network.capabilities, on=["manufacturer_id", "part_category"])
    )
    return _complete(rates.assign(hours=rates["quantity"] * rates["hours_per_unit"]), plan)


def _complete(looked_up: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """`looked_up`, which must have exactly the rows of `plan`."""
    if len(looked_up) != len(plan):
        raise ValueError(
            f"{len(plan)} rows of the plan became {len(looked_up)} when its manufacturers, capabilities "
            "and lanes were looked up in the network: judge a plan with the network it was made for"
        )
    return looked_up


def _deliverable_hours(network: Network, week: date) -> float:
    """Regular hours of every manufacturer in the last week in which it can deliver to `week` in time."""
    shortest = network.lanes.groupby("from_region")["transit_weeks"].min()
    transit = network.manufacturers.set_index("manufacturer_id")["region"].map(shortest)
    total = 0.0
    for weeks in sorted(transit.dropna().unique()):
        hours = weekly_capacity(network, [add_weeks(week, -int(weeks))])
        total += float(hours.loc[hours["manufacturer_id"].map(transit) == weeks, "capacity_hours"].sum())
    return total
