"""The business impact of planning, once a week has closed and its real orders are known.

Planning is replayed week after week (see `rolling`) under the plan and its alternatives: each policy starts a week from
its own state at the end of the week before.

Policies:

- `plan`: the forecast as published, `allocate`
- `status_quo`: seasonal-naive forecast, greedy allocation
- `plan_bias_±NN`: planned for the mean, every forecast scaled by that many percent
- `plan_noise_NN`: each category, region and due week times lognormal noise of mean 1 and that standard deviation, the
  same draw at every size and in every forecast of that due week
- `perfect_foresight`: planned for the real orders of FORESEEN_WEEKS as far as they are known, and for the forecast
  beyond. Its earlier weeks depend on the week that is judged, so its metrics are the difference of its replays with and
  without that week; added up, weeks are one replay. Its state is that after the last week whose orders it knows
  completely.

Perfect foresight knows demand and plans for exactly that, not for units that unreliable manufacturers deliver a week
late. Producing more than the demand buys reliability, so a plan from too high a forecast can be cheaper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.optimal import allocate_unproven
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.rolling import (
    STATE,
    Market,
    Planner,
    Replay,
    rates,
    rolling_replay,
)
from forecasting_assets.allocation.unmet import CATEGORY_REGION
from forecasting_assets.tables import BUSINESS_IMPACT, QUANTILES, REPLAY_STATE
from forecasting_assets.weeks import add_weeks, week_index, weeks_between

#: Weeks whose orders perfect foresight knows: the current one and the next.
FORESEEN_WEEKS = 8
#: First weeks of a replay that are not representative: at its start nothing is in stock or in transit.
WARM_UP_WEEKS = 4
#: Bias and noise of the forecast, in percent, for which planning is repeated.
BIASES = (-30, -20, -10, 0, 10, 20, 30)
NOISES = (10, 20, 30, 40)
_FORESIGHT = "perfect_foresight"


def impact(
    week: date,
    forecasts: Mapping[date, pd.DataFrame],
    naive: pd.DataFrame,
    market: Market,
    state: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replay a week under the plan and its alternatives, the policies.

    Parameters
    ----------
    week
        A week that has closed.
    forecasts
        By the week they were made in, the demand planned for, as for `allocate`: of the week before, and of the
        earlier weeks that `replayed_origins` names.
    naive
        The seasonal-naive forecast of the week before.
    market
        Orders up to `week`, as far back as prices are needed, network and policy. Rules of the marketplace are left out
        for all policies: they bind the plan, not the comparison.
    state
        REPLAY_STATE of the week before; without it the replay starts here.

    Returns
    -------
    tuple
        BUSINESS_IMPACT and REPLAY_STATE of `week`. Metrics are those of `rolling_replay`, and absolute_error of the
        forecast used by a policy, in units by category and region.
    """
    market = Market.of(market.orders, market.network, market.policy.without_rules())
    replayer = _Replayer(market, state)
    since = week if state is None else state["since"].iloc[0].date()
    forecast = forecasts[add_weeks(week, -1)]
    demands = {"plan": forecast, "status_quo": naive}
    for name, factor in _errors(forecast, market.policy.seed).items():
        demands[name] = _scaled(forecast, factor)
    metrics, states = {}, {}
    for name, demand in demands.items():
        metrics[name], states[name] = replayer.one_week(name, week, demand)
    metrics[_FORESIGHT], settled = replayer.perfect_foresight(week, since, forecasts)
    if settled is not None:
        states[_FORESIGHT] = settled
    demands[_FORESIGHT] = market.orders.rename(columns={"week": "due_week"})
    state_after = pd.concat(
        [s[STATE].assign(week=pd.Timestamp(week), policy=name) for name, s in states.items()],
        ignore_index=True,
    )
    return (
        _impact_table(week, metrics, demands),
        state_after.assign(since=pd.Timestamp(since))[REPLAY_STATE.names],
    )


@dataclass(frozen=True)
class _Replayer:
    """Replays policies from the state of the week before."""

    market: Market
    state: pd.DataFrame | None

    def before(self, name: str) -> pd.DataFrame | None:
        """Return the state of a policy at the end of the week before."""
        return None if self.state is None else self.state[self.state["policy"] == name]

    def one_week(self, name: str, week: date, demand: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
        """Return metrics of a week and the state after it, for a policy that plans for `demand`."""
        policy = self.market.policy if name == "plan" else self.market.policy.certain()
        planner = allocate_greedily if name == "status_quo" else allocate_unproven
        replay = self._replay(name, [week], {add_weeks(week, -1): demand}, policy, planner)
        return replay.metrics.iloc[0], replay.states[week]

    def perfect_foresight(
        self, week: date, since: date, forecasts: Mapping[date, pd.DataFrame]
    ) -> tuple[pd.Series, pd.DataFrame | None]:
        """Return metrics of a week under perfect foresight, and the state after the last settled week."""
        # The weeks whose foreseen orders are not yet all known, with this one and without it.
        open_weeks = [add_weeks(origin, 1) for origin in replayed_origins(week, since)]
        with_week, without_week = (
            self._replay(
                _FORESIGHT,
                open_weeks[: len(open_weeks) - left_out],
                _known(forecasts, self.market.orders, add_weeks(week, -left_out)),
                self.market.policy.certain(),
                allocate_unproven,
            )
            for left_out in (0, 1)
        )
        last = with_week.metrics.iloc[-1]
        added = with_week.metrics.sum() - without_week.metrics.sum().reindex(last.index, fill_value=0.0)
        metrics = pd.Series({**added, "stock_units": last["stock_units"], **rates(added)})
        if len(open_weeks) < FORESEEN_WEEKS:
            return metrics, self.before(_FORESIGHT)
        return metrics, with_week.states[open_weeks[0]]

    def _replay(
        self,
        name: str,
        weeks: list[date],
        forecasts: Mapping[date, pd.DataFrame],
        policy: AllocationPolicy,
        planner: Planner,
    ) -> Replay:
        market = replace(self.market, policy=policy)
        return rolling_replay(weeks, forecasts, market, planner, self.before(name))


def _impact_table(
    week: date, metrics: Mapping[str, pd.Series], demands: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return BUSINESS_IMPACT; `demands` are those planned for, by policy, and the orders as perfect foresight."""
    ordered = _by_class(demands[_FORESIGHT], week)
    rows = []
    for name, policy_metrics in metrics.items():
        error = _by_class(demands[name], week).sub(ordered, fill_value=0.0).abs().sum()
        values = {**policy_metrics, "absolute_error": error}
        rows += [(pd.Timestamp(week), name, metric, float(value)) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=BUSINESS_IMPACT.names)


def replayed_origins(week: date, since: date) -> list[date]:
    """Return the weeks whose forecasts `impact` needs for `week` in a replay that started in `since`."""
    first = max(since, add_weeks(week, 1 - FORESEEN_WEEKS))
    return weeks_between(add_weeks(first, -1), add_weeks(week, -1))


def _known(
    forecasts: Mapping[date, pd.DataFrame], orders: pd.DataFrame, until: date
) -> dict[date, pd.DataFrame]:
    """Return the forecasts, with the real orders in place of the weeks up to `until`."""
    real = orders[orders["week"] <= pd.Timestamp(until)].rename(columns={"week": "due_week"})
    known = {}
    for origin, forecast in forecasts.items():
        later = forecast[forecast["due_week"] > pd.Timestamp(until)]
        parts = [real[real["due_week"] > pd.Timestamp(origin)], later]
        known[origin] = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return known


def _errors(forecast: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    """Return factors on the rows of `forecast`, by the name of the policy that plans with them."""
    class_, due = forecast.groupby(CATEGORY_REGION).ngroup().to_numpy(), forecast["due_week"]
    score = np.zeros(len(forecast))
    for week in due.unique():
        rng = np.random.default_rng([seed, week_index(pd.Timestamp(week).date())])
        at = (due == week).to_numpy()
        score[at] = rng.standard_normal(class_.max() + 1)[class_[at]]
    factors = {f"plan_bias_{bias:+03d}": np.full(len(forecast), 1 + bias / 100) for bias in BIASES}
    for noise in NOISES:
        spread = np.sqrt(np.log1p((noise / 100) ** 2))
        factors[f"plan_noise_{noise}"] = np.exp(spread * score - spread**2 / 2)
    return factors


def _scaled(forecast: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    amounts = [c for c in ("quantity", *QUANTILES) if c in forecast]
    return forecast.assign(**{c: forecast[c] * factor for c in amounts})


def _by_class(demand: pd.DataFrame, week: date) -> pd.Series:
    return demand[demand["due_week"] == pd.Timestamp(week)].groupby(CATEGORY_REGION)["quantity"].sum()
