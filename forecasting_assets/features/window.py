"""Features of a range of weeks, computed with numpy for some whole series at a time.

Demand is a dense matrix with a row for each week and a column for each series. It starts `LOOKBACK_WEEKS` - 1
weeks before the range, so that every window is a slice of its rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import CALENDAR_COLUMNS, calendar_features
from forecasting_assets.features.demand_patterns import pattern_names
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS, weeks_apart, weeks_between, weeks_since

#: How far back a feature looks; also the weeks of demand that are needed up to the first week of a range.
LOOKBACK_WEEKS = 104
#: A series is active in a week if it has an order in the ACTIVE_WEEKS weeks that end with it.
ACTIVE_WEEKS = 52
#: Weeks in the mean demand of a category or region.
GROUP_WEEKS = 13
#: Approximate limit on the numbers in memory at once, and the numbers in a row of feature_table.
_NUMBERS, _ROW_NUMBERS = 1 << 20, 50


def feature_lags(horizon: int) -> list[int]:
    """Return the lags in weeks: recent weeks, quarters, and the weeks around each target week a year ago."""
    return sorted({*range(1, 9), 13, 26, *range(YEAR_WEEKS - horizon - 1, YEAR_WEEKS + 2)})


@dataclass(frozen=True)
class FeatureWeeks:
    """The weeks `first` to `last` to compute features of.

    `start` is the first week of all history; `countries` are the ISO 3166 codes of the countries whose public
    holidays are counted.
    """

    first: date
    last: date
    start: date
    countries: tuple[str, ...]


@dataclass(frozen=True)
class GroupWindows:
    """Demand of every category or every region, in units.

    Attributes
    ----------
    names
        Names of the groups.
    quantity
        Demand in the week: (weeks of the range, names + 1). The last column is zero, for groups without recent
        orders.
    mean_13
        Mean weekly demand over `GROUP_WEEKS` weeks, in the same shape.
    """

    names: pd.Index
    quantity: np.ndarray
    mean_13: np.ndarray

    @classmethod
    def from_rows(
        cls, group: pd.Series, week: np.ndarray, quantity: pd.Series, weeks_known: np.ndarray
    ) -> "GroupWindows":
        """Add up the rows of each group.

        Parameters
        ----------
        group
            Name of the group of each row.
        week
            Week of each row, counted from `GROUP_WEEKS` - 1 weeks before the range.
        quantity
            Units of each row.
        weeks_known
            For each week of the range, how many of the `GROUP_WEEKS` weeks up to it belong to the history.
        """
        code, names = pd.factorize(group)
        total = np.zeros((GROUP_WEEKS - 1 + len(weeks_known), len(names) + 1))
        np.add.at(total, (week, code), quantity)
        (sums,) = _window_sums(total, len(weeks_known), [GROUP_WEEKS])
        return cls(pd.Index(np.asarray(names)), total[GROUP_WEEKS - 1 :], sums / weeks_known[:, None])

    def columns(self, group: pd.Series) -> np.ndarray:
        """Return the column of each of some groups."""
        return self.names.get_indexer(pd.Index(group))


@dataclass(frozen=True)
class MarketContext:
    """Inputs that all series share: the calendar, and the demand of every category and region.

    `calendar` has a row for each week of the range.
    """

    calendar: pd.DataFrame
    categories: GroupWindows
    regions: GroupWindows

    @classmethod
    def from_totals(cls, totals: pd.DataFrame, weeks: FeatureWeeks) -> "MarketContext":
        """Build the context from the demand of all series.

        `totals` holds part_category, region, week and quantity from `GROUP_WEEKS` - 1 weeks before the first of
        `weeks` to the last.
        """
        days = weeks_between(weeks.first, weeks.last)
        week = weeks_since(weeks.first, totals["week"]) + GROUP_WEEKS - 1
        history = weeks_apart(weeks.start, weeks.first) + 1 + np.arange(len(days))
        known = np.minimum(GROUP_WEEKS, history)
        categories, regions = (
            GroupWindows.from_rows(totals[by], week, totals["quantity"], known)
            for by in ("part_category", "region")
        )
        calendar = calendar_features(days, weeks.countries).astype({"holidays": float})
        return cls(calendar, categories, regions)


def feature_rows(
    history: pd.DataFrame, market: MarketContext, horizon: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of feature_table by name, some thousand rows at a time.

    Parameters
    ----------
    history
        part_id, region, part_category, week, quantity, unit_price of whole series: a row for each week with orders,
        from `LOOKBACK_WEEKS` - 1 weeks before the range of `market` to its end.
    market
        Calendar and group demand of the range.
    horizon
        Forecast horizon in weeks.

    Yields
    ------
    dict
        Column name to values; an unknown value is NaN.
    """
    number = history.groupby(SERIES, observed=True).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    history, number = history.iloc[order], number[order]
    lags = feature_lags(horizon)
    chunk = max(1, _NUMBERS // (LOOKBACK_WEEKS + _ROW_NUMBERS * len(market.calendar)))
    for begin in range(0, number.max(initial=-1) + 1, chunk):
        selected = slice(*np.searchsorted(number, [begin, begin + chunk]))
        demand = _DenseDemand.from_rows(history.iloc[selected], number[selected] - begin, market.calendar)
        columns = _features(demand, market, lags)
        if len(columns["week"]):  # Arrow cannot infer the type of an empty string column
            yield columns


@dataclass(frozen=True)
class _DenseDemand:
    """Demand of some series, and the (week, series) cells in which a series is active.

    `quantity`, `price`: (weeks, series), zero in weeks without orders, starting `LOOKBACK_WEEKS` - 1 weeks before
    the range. `week` (from 0 in the range) and `series` of each cell; `now` is its row in the matrices, `age` its
    weeks since the first order, `idle` its weeks since the latest order, and `latest` the row of `history` with
    the latest order.
    """

    history: pd.DataFrame
    quantity: np.ndarray
    price: np.ndarray
    week: np.ndarray
    series: np.ndarray
    now: np.ndarray
    age: np.ndarray
    idle: np.ndarray
    latest: np.ndarray

    @classmethod
    def from_rows(cls, history: pd.DataFrame, number: np.ndarray, calendar: pd.DataFrame) -> "_DenseDemand":
        """Arrange rows; `number` is the series of each row of `history`, from 0 and sorted."""
        week = weeks_since(calendar["week"][0], history["week"]) + LOOKBACK_WEEKS - 1
        shape = LOOKBACK_WEEKS - 1 + len(calendar), number[-1] + 1
        quantity, price, row = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
        quantity[week, number] = history["quantity"]
        price[week, number] = history["unit_price"]
        row[week, number] = np.arange(len(history))

        ordered, position = quantity > 0, np.arange(len(quantity))[:, None]
        last_order = np.maximum.accumulate(np.where(ordered, position, -1))
        next_order = np.minimum.accumulate(np.where(ordered, position, len(quantity))[::-1])[::-1]
        idle = (position - last_order)[LOOKBACK_WEEKS - 1 :]
        t, s = np.nonzero(idle < ACTIVE_WEEKS)
        now = t + LOOKBACK_WEEKS - 1
        # The window starts at `t`, so the next order from there on is the first order within it.
        age = now - next_order[t, s] + 1
        return cls(history, quantity, price, t, s, now, age, idle[t, s], row[last_order[now, s], s])

    def window_sums(self, matrix: np.ndarray, *widths: int) -> list[np.ndarray]:
        """Sum `matrix` over the windows of each of `widths` weeks that end with each cell."""
        n = len(matrix) - LOOKBACK_WEEKS + 1
        return [sums[self.week, self.series] for sums in _window_sums(matrix, n, widths)]

    def latest_values(self, column: str) -> np.ndarray:
        """Return the value of a column of `history` in the latest week with orders."""
        values: np.ndarray = self.history[column].to_numpy()[self.latest]
        return values


def _features(demand: _DenseDemand, market: MarketContext, lags: Sequence[int]) -> dict[str, np.ndarray]:
    t, s, now, age = demand.week, demand.series, demand.now, demand.age
    category = market.categories.columns(demand.history["part_category"])[demand.latest]
    region = market.regions.columns(demand.history["region"])[demand.latest]
    quantity = demand.quantity
    return {
        **{name: demand.latest_values(name) for name in (*SERIES, "part_category")},
        "week": market.calendar["week"].to_numpy("datetime64[D]")[t],
        "quantity": quantity[now, s],
        "age_weeks": age,
        "weeks_since_order": demand.idle,
        **{f"lag_{k}": np.where(age > k, quantity[now - k, s], np.nan) for k in lags},
        **_demand_statistics(demand),
        **_prices(demand),
        **{name: market.calendar[name].to_numpy()[t] for name in CALENDAR_COLUMNS},
        "category_quantity": market.categories.quantity[t, category],
        "category_mean_13": market.categories.mean_13[t, category],
        "region_quantity": market.regions.quantity[t, region],
        "region_mean_13": market.regions.mean_13[t, region],
    }


def _demand_statistics(demand: _DenseDemand) -> dict[str, np.ndarray]:
    age, widths = demand.age, (4, 13, 26, YEAR_WEEKS)
    units = dict(zip(widths, demand.window_sums(demand.quantity, *widths), strict=True))
    squares = dict(zip((13, YEAR_WEEKS), demand.window_sums(demand.quantity**2, 13, YEAR_WEEKS), strict=True))
    (orders,) = demand.window_sums((demand.quantity > 0).astype(np.int64), YEAR_WEEKS)
    mean = {k: units[k] / np.minimum(k, age) for k in widths}
    variance = {k: squares[k] / np.minimum(k, age) - mean[k] ** 2 for k in squares}
    order_mean = units[YEAR_WEEKS] / orders
    order_variance = np.maximum(squares[YEAR_WEEKS] / orders - order_mean**2, 0)
    adi, cv2 = np.minimum(YEAR_WEEKS, age) / orders, order_variance / order_mean**2
    return {
        "order_weeks_52": orders,
        **{f"mean_{k}": mean[k] for k in widths},
        **{f"std_{k}": np.sqrt(np.maximum(variance[k], 0)) for k in squares},
        "adi": adi,
        "cv2": cv2,
        "segment": pattern_names(age, adi, cv2),
    }


def _prices(demand: _DenseDemand) -> dict[str, np.ndarray]:
    (orders,) = demand.window_sums((demand.quantity > 0).astype(np.int64), 13)
    (prices,) = demand.window_sums(demand.price, 13)
    latest = demand.latest_values("unit_price")
    mean = np.divide(prices, orders, out=latest.copy(), where=orders > 0)
    return {"price": latest, "price_ratio": latest / mean}


def _window_sums(matrix: np.ndarray, n: int, widths: Sequence[int]) -> list[np.ndarray]:
    """Sum `matrix` over windows of rows that end with each of its last `n` rows.

    `widths` are the lengths of the windows, ascending; the result has an (n, columns) array for each. Rows are
    added from the newest back, so that a sum depends on nothing but the values in its window.
    """
    total, sums = np.zeros((n, matrix.shape[1]), matrix.dtype), []
    for back in range(widths[-1]):
        total += matrix[len(matrix) - n - back : len(matrix) - back]
        if back + 1 in widths:
            sums.append(total.copy())
    return sums
