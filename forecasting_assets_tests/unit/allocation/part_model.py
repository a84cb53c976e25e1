"""The least cost of a demand as a linear program part by part, written with loops and solved by scipy."""

import numpy as np
from scipy.optimize import linprog

from .cases import monday


def unit_cost(c, m, lane, policy, early, value):
    """Production, transport, holding and expected lateness of a unit that arrives `early` weeks before it is due."""
    rate = m.on_time_rate
    weeks_late = rate * max(-early, 0) + (1 - rate) * max(1 - early, 0)
    return (
        c.unit_cost * (1 + policy.keeping_cost * max(early, 0))
        + lane.unit_cost
        + policy.lateness_penalty * weeks_late * value
    )


def lp_cost(left, demand, policy, hours, network, classes, prices):
    """The least cost of what is left of demand on the hours that are left, part by part."""
    makers, abilities, lanes = network
    category_of = demand.set_index("part_id")["part_category"].to_dict()
    cost: list[float] = []
    demanded, b_eq = [], []
    loads: dict = {}
    for (part, region, due), quantity in left.items():
        if quantity <= 0:
            continue
        price = classes.loc[prices[part, region, monday(due)]]
        terms = [len(cost)]
        cost.append(price["shortage_cost"])
        for (m, category), c in abilities.items():
            lane = lanes.get((makers[m].region, region))
            if category != category_of[part] or lane is None:
                continue
            for maker, week in hours:
                early = due - week - int(lane.transit_weeks)
                if maker != m or not -policy.max_weeks_late <= early <= policy.max_weeks_early:
                    continue
                base = unit_cost(c, makers[m], lane, policy, early, price["unit_value"])
                for kind, extra in ((0, 0.0), (1, c.unit_cost * makers[m].overtime_premium)):
                    loads.setdefault((m, week, kind), {})[len(cost)] = c.hours_per_unit
                    terms.append(len(cost))
                    cost.append(base + extra)
        demanded.append(terms)
        b_eq.append(quantity)
    if not cost:
        return 0.0
    a_eq, a_ub = np.zeros((len(demanded), len(cost))), np.zeros((len(loads), len(cost)))
    for i, terms in enumerate(demanded):
        a_eq[i, terms] = 1.0
    for i, terms in enumerate(loads.values()):
        a_ub[i, list(terms)] = list(terms.values())
    b_ub = [hours[m, week][kind] for m, week, kind in loads]
    return linprog(cost, a_ub if loads else None, b_ub if loads else None, a_eq, b_eq).fun
