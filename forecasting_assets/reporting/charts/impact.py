"""Charts of business impact: cost and service of the plan compared with other policies."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.reporting.formats import MINUS, number, percent
from forecasting_assets.reporting.measures import (
    POLICIES,
    cost_by_accuracy,
    gap_closed,
    policy_totals,
    require,
    value_of_a_point,
)
from forecasting_assets.reporting.style import (
    COLOURS,
    COST_PARTS,
    INK,
    NARROW,
    WIDE,
    bar_labels,
    figure,
    from_zero,
    label,
    legend,
    no_data,
    say_what_it_shows,
    tidy,
    week_axis,
)
from forecasting_assets.wording import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_IMPACT = "Plans are evaluated once several consecutive weeks with plans have closed; there are too few of them yet."


def cost_parts(totals: pd.DataFrame) -> pd.DataFrame:
    """Return the parts of the cost in `totals`, with the remainder in `other_cost`.

    Production counts the units delivered: units that went into stock are not paid for yet.
    """
    parts = totals[[p for p in COST_PARTS if p in totals]].fillna(0.0)
    if "inventory_cost" in totals:
        parts["production_cost"] = parts["production_cost"] + totals["inventory_cost"].fillna(0.0)
    rest = totals["cost"] - parts.sum(axis=1)
    if (rest > 1e-6 * totals["cost"].abs()).any():
        parts = parts.assign(other_cost=rest.clip(lower=0))
    return parts.loc[:, parts.abs().sum() > 0]


def cost_by_policy(impact: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show cost, on-time rate and utilisation of each policy.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT of one or more weeks.
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = "Business impact by policy"
    totals = policy_totals(impact)
    if totals.empty:
        return no_data(title, NO_IMPACT)
    weeks = int(totals["weeks"].iloc[0])
    note = (
        f"Planned week by week and replayed against the actual orders of {count(weeks, 'week')}."
        " Perfect foresight: the plan if demand had been known. Cost is in the currency of the network files;"
        " production counts the units delivered."
    )
    if narrow:
        fig = figure(title, note, height=8.6, keys=4, width=NARROW)
        cost, on_time, utilisation = fig.subplots(3, 1)
    else:
        fig = figure(title, note, height=3.9)
        cost, on_time, utilisation = fig.subplots(1, 3, width_ratios=[2.4, 1, 1], sharey=True)
    at = np.arange(len(totals))
    left = pd.Series(0.0, totals.index)
    for part, amount in cost_parts(totals).items():
        colour = COLOURS[COST_PARTS.get(str(part), "other")]
        bars = cost.barh(
            at, amount, 0.6, left=left, color=colour, edgecolor="white", linewidth=0.6, label=label(str(part))
        )
        left += amount
    bar_labels(cost, bars, (number(v) for v in totals["cost"]))
    tidy(cost, "Cost", grid="x")
    for ax in (cost, on_time, utilisation) if narrow else (cost,):
        ax.set_yticks(at, [label(p) for p in totals.index])
        ax.invert_yaxis()
    cost.locator_params(axis="x", nbins=3 if narrow else 5)
    cost.margins(x=0.3 if narrow else 0.16)
    for ax, metric, name in (
        (on_time, "on_time_rate", "Units on time"),
        (utilisation, "utilisation", "Capacity used"),
    ):
        shares = totals[metric] if metric in totals else pd.Series(np.nan, totals.index)
        bars = ax.barh(at, shares, 0.6, color=[COLOURS.get(str(p), COLOURS["other"]) for p in totals.index])
        bar_labels(ax, bars, (percent(v) for v in shares))
        tidy(ax, name, grid="x", values="percent")
        ax.set_xlim(0, max(1.0, np.nanmax([*shares, 0.0])) * 1.3)
        ax.set_xticks([0, 0.5, 1])
    legend(fig, cost, columns=8)
    say_what_it_shows(fig, _policies_in_words(totals))
    return fig


def _policies_in_words(totals: pd.DataFrame) -> str:
    rows = totals.reindex(columns=["cost", "on_time_rate", "utilisation"])
    return "; ".join(
        f"{label(str(policy))}: cost {number(cost)}, {percent(on_time)} on time, {percent(used)} of capacity used"
        for policy, (cost, on_time, used) in zip(rows.index, rows.to_numpy(float), strict=True)
    )


def impact_by_week(impact: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show the cost of each policy by week, and the cumulative saving against the status quo.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT of one or more weeks.
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = "Business impact by week"
    totals = policy_totals(impact)
    if totals.empty:
        return no_data(title, NO_IMPACT)
    costs = impact[(impact["metric"] == "cost") & impact["policy"].isin(POLICIES)]
    costs = costs.pivot_table(index="week", columns="policy", values="value").dropna()
    closed = gap_closed(totals)
    note = "Below: the cumulative saving against the status quo."
    if pd.notna(closed):
        note = (
            f"Over {count(len(costs), 'week')} the plan closes {percent(closed, 0)} of the cost gap from status quo"
            f" to perfect foresight. {note}"
        )
    fig = figure(title, note, height=4.6, keys=2 if narrow else 1, width=NARROW if narrow else WIDE)
    above, below = fig.subplots(2, 1, sharex=True)
    marker = "o" if len(costs) <= 30 else ""
    for policy in (p for p in POLICIES if p in costs):
        style = {"color": COLOURS[policy], "marker": marker, "markersize": 3.5}
        above.plot(costs.index, costs[policy], label=label(policy), **style)
        if policy != "status_quo" and "status_quo" in costs:
            below.plot(costs.index, (costs["status_quo"] - costs[policy]).cumsum(), **style)
    below.axhline(0, color=COLOURS["status_quo"], linewidth=1)
    tidy(above, "Cost per week")
    tidy(below, "Saving since the first week")
    from_zero(above)
    week_axis(below, costs.index, most=5 if narrow else 14)
    legend(fig, above)
    if {"plan", "status_quo"} <= set(costs):
        saved = float((costs["status_quo"] - costs["plan"]).sum())
        words = "saves" if saved >= 0 else "costs in addition"
        say_what_it_shows(
            fig, f"Against the status quo the plan {words} {number(abs(saved))} in all weeks together"
        )
    return fig


def sensitivity(impact: pd.DataFrame, *, narrow: bool = False) -> "Figure":
    """Show how cost and on-time rate of the plan depend on forecast error.

    Parameters
    ----------
    impact
        BUSINESS_IMPACT with the policies plan_bias_±NN (every forecast NN % off) and plan_noise_NN (noisy forecasts).
    narrow
        Whether to stack the panels, for a telephone.
    """
    title = "Cost of forecast error"
    require(impact, ["week", "policy", "metric", "value"], "business_impact")
    names = impact["policy"].drop_duplicates()
    bias = names.str.extract(r"^plan_bias_([+-]?\d+)$")[0].set_axis(names).dropna().astype(int)
    if bias.empty:
        return no_data(title, NO_IMPACT)
    bias = bias.sort_values()
    totals = policy_totals(impact, [*bias.index, "status_quo", "perfect_foresight"])
    if totals.empty:
        return no_data(title, NO_IMPACT)
    note = (
        "The same weeks replayed with every forecast scaled down or up and planned for the mean; 0 is the unchanged"
        " forecast."
    )
    by_accuracy = cost_by_accuracy(impact)
    value = value_of_a_point(by_accuracy)
    if len(by_accuracy):
        note += " Last panel: with increasing noise on the forecast of each category and region; each percentage point"
        note += f" of WAPE costs {number(value)} per week."
    if narrow:
        fig = figure(title, note, height=9.5, keys=2, width=NARROW)
        cost, on_time, accuracy = fig.subplots(3, 1)
    else:
        fig = figure(title, note, height=4.2)
        cost, on_time, accuracy = fig.subplots(1, 3, width_ratios=[1.4, 1.1, 1])
    biased = totals[totals.index.isin(bias.index)]
    at = bias.reindex(biased.index) / 100
    for ax, metric in ((cost, "cost"), (on_time, "on_time_rate")):
        values = biased[metric] if metric in biased else pd.Series(np.nan, biased.index)
        ax.plot(at, values, color=COLOURS["plan"], marker="o", label=label("plan"))
        for policy in POLICIES[1:]:
            if policy in totals.index and metric in totals:
                ax.axhline(
                    totals.at[policy, metric], color=COLOURS[policy], linestyle="--", label=label(policy)
                )
        ax.set_xlabel(f"Forecast too low ({MINUS}) or high (+), %", fontsize=9.5, color=INK)
        ax.set_xticks(at, [f"{b:+.0%}".replace("-", MINUS).rstrip("%") if b else "0" for b in at])
    ax = accuracy
    ax.plot(by_accuracy["wape"], by_accuracy["cost"], color=COLOURS["plan"], marker="o")
    ax.set_xlabel("WAPE of the forecast", fontsize=9.5, color=INK)
    ax.xaxis.set_major_formatter(lambda share, _: percent(share, 0))
    ax.locator_params(axis="x", nbins=4)
    ax.margins(x=0.12)
    tidy(accuracy, "Cost per week")
    tidy(cost, "Cost, in the currency of the network files")
    tidy(on_time, "Units on time", values="percent")
    legend(fig, cost)
    cheapest = at[biased["cost"].astype(float).idxmin()]
    say_what_it_shows(fig, f"The plan costs least with a forecast that is {_off(cheapest)}")
    return fig


def _off(bias: float) -> str:
    return f"{percent(abs(bias), 0)} too {'high' if bias > 0 else 'low'}" if bias else "unchanged"
