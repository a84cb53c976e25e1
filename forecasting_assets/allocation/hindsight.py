"""The business impact of planning, once a week has closed and its real orders are known.

The plan as it was published is carried out, from the supply position that it was made from. Its alternatives are
replayed week after week (see `rolling`), each from its own position at the end of the week before; all begin in the
position of the first plan. Units that a count found in addition, or missing, are added to the stock of every policy.

Policies:

- `plan`: the published plan
- `status_quo`: seasonal-naive forecast, greedy allocation (which never makes units ahead)
- `naive_optimal`: seasonal-naive forecast, optimal allocation
- `forecast_greedy`: the forecast that was planned for, greedy allocation
- `plan_bias_±NN`: planned for the mean, every forecast scaled by that many percent
- `plan_noise_NN`: each category, region and due week times lognormal noise of mean 1 and that standard deviation, the
  same draw at every size and in every forecast of that due week
- `perfect_foresight`: planned for the real orders of FORESEEN_WEEKS as far as they are known, and for the forecast
  beyond. Its earlier weeks depend on the week that is judged, so its metrics are the difference of its replays with and
  without that week, and can be negative: knowing the week changes the weeks before it. Added up, weeks are one replay.
  Its position is that after the last week whose orders it knows completely.
- `lower_bound`: what no policy can beat that begins where the plan began and ends with no more units than the plan (see
  `bound`), over the weeks since the bound began; it has a cost only, the part of each week is what the week adds

Perfect foresight knows demand and plans for exactly that, not for units that unreliable manufacturers deliver a week
late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.bound import lower_bound
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.instance import CATEGORY_REGION
from forecasting_assets.allocation.optimal import allocate_unproven
from forecasting_assets.allocation.rolling import (
    Market,
    Planner,
    Replay,
    carry_out,
    rates,
    rolling_replay,
)
from forecasting_assets.allocation.supply import POSITION, Position
from forecasting_assets.tables import BUSINESS_IMPACT, QUANTILES, REPLAY_STATE, SERIES
from forecasting_assets.tables.frames import stack
from forecasting_assets.weeks import add_weeks, week_index, weeks_apart, weeks_between

#: Weeks whose orders perfect foresight knows: the current one and the next.
FORESEEN_WEEKS = 8
#: First weeks of a replay that are not representative, because all policies begin in the same position.
WARM_UP_WEEKS = 4
#: Bias and noise of the forecast, in percent, for which planning is repeated.
BIASES = (-30, -20, -10, 0, 10, 20, 30)
NOISES = (10, 20, 30, 40)
_FORESIGHT = "perfect_foresight"
_BOUND = "lower_bound"
#: Weeks after which the bound begins again.
BOUND_WEEKS = 26
#: Policies that allocate greedily.
_GREEDY = ("status_quo", "forecast_greedy")


@dataclass(frozen=True)
class Published:
    """A plan as it was published, and the position that it was made from.

    Attributes
    ----------
    plan
        ALLOCATION_PLAN.
    position
        SUPPLY_POSITION at the end of the week in which it was made.
    found
        part_id, region, quantity: units that counts found in addition in that week; negative if fewer.
    """

    plan: pd.DataFrame
    position: pd.DataFrame
    found: pd.DataFrame


@dataclass(frozen=True)
class Demands:
    """Demand that was or could have been planned for, as for `allocate`.

    Attributes
    ----------
    forecasts
        By the week they were made in, the demand planned for: of the week before the one that is judged, and of the
        earlier weeks that `replayed_origins` names.
    naive
        The seasonal-naive forecast of the week before.
    """

    forecasts: Mapping[date, pd.DataFrame]
    naive: pd.DataFrame


def impact(
    week: date,
    demands: Demands,
    published: Published,
    market: Market,
    state: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Carry out the published plan in a week, and replay its alternatives.

    Parameters
    ----------
    week
        A week that has closed.
    demands
        What was planned for.
    published
        The plan made at the end of the week before.
    market
        Orders up to `week`, as far back as prices are needed, network and policy. Rules of the marketplace bind the
        published plan; its alternatives are planned without them.
    state
        REPLAY_STATE of the week before; without it all policies begin in the position of the published plan.

    Returns
    -------
    tuple
        BUSINESS_IMPACT and REPLAY_STATE of `week`. Metrics are those of `carry_out`, and absolute_error of the forecast
        used by a policy, in units by category and region.
    """
    origin = add_weeks(week, -1)
    # Alternatives are planned without rules, and cost what units cost without them.
    replayed = replace(market, policy=market.policy.without_rules())
    replayer = _Replayer(replayed, published, state)
    since = week if state is None else state["since"].min().date()
    forecast = demands.forecasts[origin]
    planned = {"status_quo": demands.naive, "naive_optimal": demands.naive, "forecast_greedy": forecast}
    for name, factor in _errors(forecast, market.policy.seed).items():
        planned[name] = _scaled(forecast, factor)
    position = market.position(published.position, origin)
    of_plan, after = carry_out(published.plan, week, position, market)
    metrics, states = {"plan": pd.Series(of_plan)}, {}
    for name, demand in planned.items():
        metrics[name], states[name] = replayer.one_week(name, week, demand)
    metrics[_FORESIGHT], states[_FORESIGHT] = replayer.perfect_foresight(week, since, demands.forecasts)
    planned |= {"plan": forecast, _FORESIGHT: market.orders.rename(columns={"week": "due_week"})}
    begins = {**dict.fromkeys(states, since), _BOUND: replayer.bound_since(week, since)}
    states[_BOUND] = replayer.bound_begins_with(begins[_BOUND], week)
    metrics[_BOUND] = pd.Series({"cost": replayer.bound(week, begins[_BOUND], after)})
    state_after = [
        _with_a_row(rows[POSITION], market, week).assign(
            week=pd.Timestamp(week), policy=name, since=pd.Timestamp(begins[name])
        )
        for name, rows in states.items()
    ]
    return (
        _impact_table(week, metrics, planned),
        pd.concat(state_after, ignore_index=True).assign(week=pd.Timestamp(week))[REPLAY_STATE.names],
    )


@dataclass(frozen=True)
class _Replayer:
    """Replays policies from their positions at the end of the week before."""

    market: Market
    published: Published
    state: pd.DataFrame | None

    def before(self, name: str) -> pd.DataFrame:
        """Return the position of a policy at the end of the week before."""
        if self.state is None:
            return self.published.position
        return _with_found(self.state[self.state["policy"] == name], self.published.found)

    def one_week(self, name: str, week: date, demand: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
        """Return metrics of a week and the position after it, for a policy that plans for `demand`."""
        planner = allocate_greedily if name in _GREEDY else allocate_unproven
        replay = self._replay(name, [week], {add_weeks(week, -1): demand}, planner)
        return replay.metrics.iloc[0], replay.states[week]

    def perfect_foresight(
        self, week: date, since: date, forecasts: Mapping[date, pd.DataFrame]
    ) -> tuple[pd.Series, pd.DataFrame]:
        """Return metrics of a week under perfect foresight, and the position after the last settled week."""
        # The weeks whose foreseen orders are not yet all known, with this one and without it.
        open_weeks = [add_weeks(origin, 1) for origin in replayed_origins(week, since)]
        with_week, without_week = (
            self._replay(
                _FORESIGHT,
                open_weeks[: len(open_weeks) - left_out],
                _known(forecasts, self.market.orders, add_weeks(week, -left_out)),
                allocate_unproven,
            )
            for left_out in (0, 1)
        )
        last = with_week.metrics.iloc[-1]
        added = with_week.metrics.sum() - without_week.metrics.sum().reindex(last.index, fill_value=0.0)
        at_end = last[["stock_units", "overdue_units"]]
        metrics = pd.Series({**added, **at_end, **rates(added)})
        if len(open_weeks) < FORESEEN_WEEKS:
            return metrics, self.before(_FORESIGHT)
        return metrics, with_week.states[open_weeks[0]]

    def bound_since(self, week: date, since: date) -> date:
        """Return the first week of the bound, which begins again after BOUND_WEEKS and after counts that differ."""
        own = None if self.state is None else self.state[self.state["policy"] == _BOUND]
        begun = since if own is None or own.empty else own["since"].iloc[0].date()
        again = weeks_apart(begun, week) >= BOUND_WEEKS or len(self.published.found)
        return week if again else begun

    def bound_begins_with(self, since: date, week: date) -> pd.DataFrame:
        """Return the position in which the bound that began in `since` begins."""
        if since == week or self.state is None:
            return self.published.position
        return self.state[self.state["policy"] == _BOUND]

    def bound(self, week: date, since: date, after: Position) -> float:
        """Return what `week` adds to the bound, for the position of the plan after it."""
        market, weeks = self.market, weeks_between(since, week)
        begin = market.position(self.bound_begins_with(since, week), add_weeks(since, -1))
        before = market.position(self.published.position, add_weeks(week, -1))
        return lower_bound(weeks, market, begin, after) - lower_bound(weeks[:-1], market, begin, before)

    def _replay(
        self, name: str, weeks: list[date], forecasts: Mapping[date, pd.DataFrame], planner: Planner
    ) -> Replay:
        market = replace(self.market, policy=self.market.policy.certain())
        return rolling_replay(weeks, forecasts, market, planner, self.before(name))


def _with_a_row(position: pd.DataFrame, market: Market, week: date) -> pd.DataFrame:
    """Return a position with at least one row, so that the policy and its first week are remembered."""
    if len(position):
        return position
    nothing = market.series.head(1)[[*SERIES, "part_category"]].assign(kind="stock", quantity=0.0)
    return nothing.assign(week_of_units=pd.Timestamp(week))[POSITION]


def _with_found(position: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return a position with the units that counts found added to its stock, which does not become negative."""
    if found.empty:
        return position
    stock = position[position["kind"] == "stock"]
    added = pd.concat([stock, found.assign(kind="stock")]).groupby(SERIES, as_index=False)
    total = added.agg(
        {"part_category": "first", "kind": "first", "week_of_units": "first", "quantity": "sum"}
    )
    total["quantity"] = total["quantity"].clip(lower=0)
    total["week_of_units"] = total["week_of_units"].fillna(position["week_of_units"].min())
    return pd.concat([position[position["kind"] != "stock"], total], ignore_index=True)


def _impact_table(
    week: date, metrics: Mapping[str, pd.Series], demands: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return BUSINESS_IMPACT; `demands` are those planned for, by policy, and the orders as perfect foresight."""
    ordered = _by_class(demands[_FORESIGHT], week)
    rows = []
    for name, policy_metrics in metrics.items():
        values = dict(policy_metrics)
        if name in demands:
            error = _by_class(demands[name], week).sub(ordered, fill_value=0.0).abs().sum()
            values["absolute_error"] = error
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
        known[origin] = stack([later[:0], real[real["due_week"] > pd.Timestamp(origin)], later])
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
