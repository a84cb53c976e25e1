"""What planning was worth, in sentences."""

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import number, percent
from forecasting_assets.reporting.measures import (
    bound_closed,
    cheaper_biases,
    gap_by_source,
    gap_closed,
    policy_totals,
)

#: Why a plan can close more than 100 % of the gap.
MORE_THAN_ALL = (
    "More than 100 % means that the plan cost less than perfect foresight in these weeks. Perfect foresight knows only "
    "orders that have come by now and a few weeks ahead, not how late manufacturers will be, and it pays now for what "
    "it saves in weeks that are not counted here: the fewer the weeks, the more this matters."
)


def worth_in_words(impact: pd.DataFrame) -> list[str]:
    """Say how much of the possible saving the plan reached, where it comes from, and what forecast errors cost.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT of any weeks.
    """
    return [*_share_reached(impact), *_sources(impact), *_bias(impact)]


def _share_reached(impact: pd.DataFrame) -> list[str]:
    closed, of_bound = gap_closed(policy_totals(impact)), bound_closed(impact)
    if np.isnan(closed):
        return []
    sentence = (
        f"The plan closes {percent(closed, 0)} of the cost gap between status quo and perfect foresight"
    )
    if not np.isnan(of_bound):
        sentence += f", and {percent(of_bound, 0)} of the gap to the bound that no policy can beat"
    return [f"{sentence}.", *([MORE_THAN_ALL] if closed > 1 else [])]


def _sources(impact: pd.DataFrame) -> list[str]:
    gap = gap_by_source(impact)
    if gap.empty or gap.sum() <= 0:
        return []
    return [
        f"Of the {number(gap.sum())} that the plan saves against the status quo, the forecast contributes "
        f"{number(gap['forecast'])} and the planner {number(gap['planner'])}. The status quo never makes units "
        "ahead for unreliable manufacturers; this is part of what the planner contributes."
    ]


def _bias(impact: pd.DataFrame) -> list[str]:
    too_high = {bias: saved for bias, saved in cheaper_biases(impact).items() if bias > 0}
    if not too_high:
        return []
    best = max(too_high, key=lambda bias: too_high[bias])
    return [
        f"A forecast {best} % too high would have cost {percent(too_high[best], 1)} less than the forecast itself: "
        "planned for the mean, nothing is kept for weeks above it, and a unit that is late costs more than a unit "
        'that is kept. Planning for uncertainty ([allocation] uncertainty = "auto") keeps such units where they pay.'
    ]
