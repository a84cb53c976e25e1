"""Choose what to plan for, by replaying past weeks: the mean demand, a quantile of it, or scenarios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.optimal import allocate_unproven
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.rolling import Market, rates, rolling_replay
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.tables import PLAN_CHOICE

#: Weeks that are replayed for a choice, and the fewest that it is made on.
REPLAYED_WEEKS, FEWEST_WEEKS = 8, 4
#: Quantiles that are tried.
SERVICE_LEVELS = (0.6, 0.7, 0.8, 0.9)
Method = Literal["deterministic", "quantile", "stochastic"]


@dataclass(frozen=True)
class PastWeeks:
    """Consecutive past weeks, as they can be replayed.

    Attributes
    ----------
    weeks
        The weeks.
    forecasts
        By the week before, the demand that was to be planned for.
    position
        Position before the first week, in the columns `supply.POSITION`; None for nothing.
    """

    weeks: Sequence[date]
    forecasts: Mapping[date, pd.DataFrame]
    position: pd.DataFrame | None


def choose_method(past: PastWeeks, market: Market, correlations: pd.DataFrame | None = None) -> pd.DataFrame:
    """Replay past weeks with each method, and choose the one that would have cost least.

    Weeks are planned without the rules of the marketplace, as the alternatives of business_impact are.

    Parameters
    ----------
    past
        The weeks. If there are fewer than FEWEST_WEEKS, nothing is replayed and the mean is planned for.
    market
        Orders, network and policy.
    correlations
        ERROR_CORRELATIONS.

    Returns
    -------
    DataFrame
        PLAN_CHOICE: a row for each method with what it would have cost.
    """
    if len(past.weeks) < FEWEST_WEEKS:
        return set_method(market.policy.certain(), len(past.weeks))

    def planner(
        demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState
    ) -> AllocationPlan:
        return allocate_unproven(demand, network, policy, replace(state, correlations=correlations))

    rows = []
    for method, parameter in _candidates(market.policy):
        policy = with_method(market.policy, method, parameter).without_rules()
        replay = rolling_replay(
            past.weeks, past.forecasts, replace(market, policy=policy), planner, past.position
        )
        sums = replay.metrics.sum()
        rows.append((method, parameter, len(past.weeks), sums["cost"], rates(sums)["on_time_rate"], 0))
    table = pd.DataFrame(rows, columns=PLAN_CHOICE.names)
    table.loc[table["cost"].idxmin(), "chosen"] = 1
    return table


def set_method(policy: AllocationPolicy, weeks: int = 0) -> pd.DataFrame:
    """Return PLAN_CHOICE for a method that is not chosen by replay: it is set, or there are only `weeks` weeks."""
    parameters = {"quantile": policy.service_level, "stochastic": float(policy.scenarios)}
    row = (policy.uncertainty, parameters.get(policy.uncertainty, np.nan), weeks, np.nan, np.nan, 1)
    return pd.DataFrame([row], columns=PLAN_CHOICE.names)


def with_choice(policy: AllocationPolicy, choice: pd.DataFrame) -> AllocationPolicy:
    """Return the policy with the method that PLAN_CHOICE names as chosen."""
    chosen = choice[choice["chosen"] == 1].iloc[0]
    return with_method(policy, chosen["method"], float(chosen["parameter"]))


def with_method(policy: AllocationPolicy, method: Method, parameter: float) -> AllocationPolicy:
    """Return the policy that plans by `method`; its parameter is a service level or a number of scenarios."""
    update: dict[str, object] = {"uncertainty": method}
    if method == "quantile":
        update["service_level"] = parameter
    elif method == "stochastic":
        update["scenarios"] = int(parameter)
    return policy.model_copy(update=update)


def _candidates(policy: AllocationPolicy) -> list[tuple[Method, float]]:
    """Return methods with their parameters; of equally cheap ones the first is chosen."""
    return [
        ("deterministic", np.nan),
        *(("quantile", level) for level in SERVICE_LEVELS),
        ("stochastic", float(policy.scenarios)),
    ]
