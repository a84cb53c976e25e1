"""What planning was worth once a week has closed and its real orders are known.

Planning is replayed week after week (see `rolling`) under the plan and its alternatives: each policy begins a week
where its own planning of the weeks before has got it, which is the state that is handed on.

Perfect foresight knows demand, and plans for exactly that: not for units that unreliable manufacturers bring a week
late. Making more than is asked buys reliability, so a plan from too high a forecast can come out cheaper.
"""

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.lacking import CLASS
from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.optimal import allocate_unproven
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.rolling import STATE, rates, replayed_classes, rolling_replay
from forecasting_assets.tables import BUSINESS_IMPACT, QUANTILES, REPLAY_STATE
from forecasting_assets.weeks import add_weeks, week_index, weeks_between

#: Weeks that perfect foresight knows: the present one and those after it.
FORESEEN_WEEKS = 8
#: Weeks from the start of a replay that only lead up to the others: nothing is in stock or on its way at first.
WARM_UP_WEEKS = 4
#: Bias and noise of the forecast, in percent, under which the plans are made again.
BIASES = (-30, -20, -10, 0, 10, 20, 30)
NOISES = (10, 20, 30, 40)
_FORESIGHT = "perfect_foresight"


def impact(
    week: date,
    forecasts: Mapping[date, pd.DataFrame],
    naive: pd.DataFrame,
    orders: pd.DataFrame,
    network: Network,
    policy: AllocationPolicy,
    state: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """BUSINESS_IMPACT and REPLAY_STATE of `week`: what it came to under the plan and its alternatives (metrics:
    `rolling_replay`, and absolute_error of the forecast behind a policy, in units by category and region).

    forecasts: by the week they were made in, what was planned for, as for `allocate`: of the week before, and as
        many before that as `replayed_origins` says
    naive: the seasonal-naive forecast of the week before
    orders: part_id, part_category, region, week, quantity, unit_price, up to `week`, and as far back as prices go
    state: REPLAY_STATE of the week before; without it the replay starts here

    Policies: `plan`; `status_quo` (naive forecast, greedy); `plan_bias_±NN`: planned for the mean, every forecast
    scaled by that many percent; `plan_noise_NN`: each category, region and due week times lognormal noise of
    mean 1 and that standard deviation, the same draw at every size and in every forecast of that due week;
    `perfect_foresight`: planned for the real orders of FORESEEN_WEEKS as far as they are known, and for the
    forecast beyond. What it does in earlier weeks depends on `week`, so `week` is the difference of its replays
    with and without it; added up, weeks are one replay. Its state is that after the week which is now known as
    far as it ever will be.
    Rules of the marketplace bind the plan, not the yardstick: every policy is replayed without them.
    """
    policy = policy.without_rules()
    certain = policy.certain()
    classes = replayed_classes(orders, network, policy)
    origin = add_weeks(week, -1)
    since = week if state is None else state["since"].iloc[0].date()
    forecast = forecasts[origin]
    demands = {"plan": forecast, "status_quo": naive}
    for name, factor in _errors(forecast, policy.seed).items():
        demands[name] = _scaled(forecast, factor)
    metrics, states = {}, {}

    def before(name: str) -> pd.DataFrame | None:
        return None if state is None else state[state["policy"] == name]

    for name, demand in demands.items():
        how: tuple[AllocationPolicy, Callable[..., AllocationPlan]] = (
            policy if name == "plan" else certain,
            allocate_greedily if name == "status_quo" else allocate_unproven,
        )
        done = rolling_replay([week], {origin: demand}, orders, network, *how, before(name), classes)
        metrics[name], states[name] = done.metrics.iloc[0], done.states[week]

    # The weeks that are not yet known as far as they ever will be, without this one and with it.
    open_weeks = [add_weeks(o, 1) for o in replayed_origins(week, since)]
    foreseen = [
        rolling_replay(
            open_weeks[: len(open_weeks) - left_out],
            _known(forecasts, orders, add_weeks(week, -left_out)),
            orders,
            network,
            certain,
            allocate_unproven,
            before(_FORESIGHT),
            classes,
        )
        for left_out in (0, 1)
    ]
    last = foreseen[0].metrics.iloc[-1]
    added = foreseen[0].metrics.sum() - foreseen[1].metrics.sum().reindex(last.index, fill_value=0.0)
    metrics[_FORESIGHT] = pd.Series({**added, "stock_units": last["stock_units"], **rates(added)})
    settled = before(_FORESIGHT) if len(open_weeks) < FORESEEN_WEEKS else foreseen[0].states[open_weeks[0]]
    if settled is not None:
        states[_FORESIGHT] = settled
    demands[_FORESIGHT] = orders.rename(columns={"week": "due_week"})

    ordered = _by_class(demands[_FORESIGHT], week)
    rows = []
    for name, of_policy in metrics.items():
        missed = _by_class(demands[name], week).sub(ordered, fill_value=0.0).abs().sum()
        told = {**of_policy, "absolute_error": missed}
        rows += [(pd.Timestamp(week), name, metric, float(value)) for metric, value in told.items()]
    stands = pd.concat(
        [s[STATE].assign(week=pd.Timestamp(week), policy=name) for name, s in states.items()],
        ignore_index=True,
    )
    return (
        pd.DataFrame(rows, columns=BUSINESS_IMPACT.names),
        stands.assign(since=pd.Timestamp(since))[REPLAY_STATE.names],
    )


def replayed_origins(week: date, since: date) -> list[date]:
    """The weeks whose forecasts `impact` needs for `week` in a replay that started in the week `since`."""
    first = max(since, add_weeks(week, 1 - FORESEEN_WEEKS))
    return weeks_between(add_weeks(first, -1), add_weeks(week, -1))


def _known(
    forecasts: Mapping[date, pd.DataFrame], orders: pd.DataFrame, until: date
) -> dict[date, pd.DataFrame]:
    """The forecasts with what was really ordered in the weeks up to `until`."""
    real = orders[orders["week"] <= pd.Timestamp(until)].rename(columns={"week": "due_week"})
    found = {}
    for origin, forecast in forecasts.items():
        later = forecast[forecast["due_week"] > pd.Timestamp(until)]
        parts = [real[real["due_week"] > pd.Timestamp(origin)], later]
        found[origin] = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return found


def _errors(forecast: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    """Factors on the rows of `forecast`, by the name of the policy that plans with them."""
    of_class, due = forecast.groupby(CLASS).ngroup().to_numpy(), forecast["due_week"]
    score = np.zeros(len(forecast))
    for week in due.unique():
        rng = np.random.default_rng([seed, week_index(pd.Timestamp(week).date())])
        at = (due == week).to_numpy()
        score[at] = rng.standard_normal(of_class.max() + 1)[of_class[at]]
    factors = {f"plan_bias_{bias:+03d}": np.full(len(forecast), 1 + bias / 100) for bias in BIASES}
    for noise in NOISES:
        spread = np.sqrt(np.log1p((noise / 100) ** 2))
        factors[f"plan_noise_{noise}"] = np.exp(spread * score - spread**2 / 2)
    return factors


def _scaled(forecast: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    amounts = [c for c in ("quantity", *QUANTILES) if c in forecast]
    return forecast.assign(**{c: forecast[c] * factor for c in amounts})


def _by_class(demand: pd.DataFrame, week: date) -> pd.Series:
    return demand[demand["due_week"] == pd.Timestamp(week)].groupby(CLASS)["quantity"].sum()
