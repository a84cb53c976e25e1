"""The features of a range of weeks in numpy, of some whole series at a time.

Demand is a dense matrix with a row for each week and a column for each series, from `LOOKBACK_WEEKS` before the
range, so that every window is a few of its rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.calendar import CALENDAR_COLUMNS, calendar_features
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS, weeks_between

#: How far back a feature looks; also the weeks of demand that are needed before the first of a range.
LOOKBACK_WEEKS = 104
#: A series is alive in a week if it has an order in the weeks up to it, this many.
ALIVE_WEEKS = 52
#: A series younger than this is of the segment "new".
NEW_WEEKS = 13
#: Weeks of the mean of a category or region.
GROUP_WEEKS = 13
# Syntetos, Boylan and Croston (2005), On the categorization of demand patterns.
ADI_LIMIT = 1.32
CV2_LIMIT = 0.49
#: Numbers in memory at once, and those of a row of feature_table, about.
_NUMBERS, _ROW_NUMBERS = 1 << 20, 50


def feature_lags(horizon: int) -> list[int]:
    """Lags in weeks: recent ones, quarters, and the weeks a year before each target week and its neighbours."""
    return sorted({*range(1, 9), 13, 26, *range(YEAR_WEEKS - horizon - 1, YEAR_WEEKS + 2)})


@dataclass(frozen=True)
class GroupWindows:
    """Units of every category or region, `quantity` in the week and `mean_13` a week: (weeks of the range, names + 1).

    The last column is of any group that had no orders.
    """

    names: pd.Index
    quantity: np.ndarray
    mean_13: np.ndarray

    @classmethod
    def of(cls, group: pd.Series, week: np.ndarray, quantity: pd.Series, lived: np.ndarray) -> "GroupWindows":
        """week: counted from `GROUP_WEEKS` - 1 before the range. lived: for each week of the range, how many of the
        `GROUP_WEEKS` up to it are in the history."""
        code, names = pd.factorize(group)
        total = np.zeros((GROUP_WEEKS - 1 + len(lived), len(names) + 1))
        np.add.at(total, (week, code), quantity)
        (sums,) = _sums(total, len(lived), [GROUP_WEEKS])
        return cls(pd.Index(np.asarray(names)), total[GROUP_WEEKS - 1 :], sums / lived[:, None])

    def columns(self, group: pd.Series) -> np.ndarray:
        return self.names.get_indexer(pd.Index(group))


@dataclass(frozen=True)
class Surroundings:
    """What features take from elsewhere than their series; it is small. `calendar` has a row for each week of the
    range."""

    calendar: pd.DataFrame
    categories: GroupWindows
    regions: GroupWindows

    @classmethod
    def of(
        cls, totals: pd.DataFrame, first: date, last: date, start: date, countries: tuple[str, ...]
    ) -> "Surroundings":
        """totals: part_category, region, week, quantity from `GROUP_WEEKS` - 1 weeks before `first` to `last`, of all
        series. start: the first week of all history."""
        weeks = weeks_between(first, last)
        week = _weeks_since(first, totals["week"]) + GROUP_WEEKS - 1
        lived = np.minimum(GROUP_WEEKS, (first - start).days // 7 + 1 + np.arange(len(weeks)))
        categories, regions = (
            GroupWindows.of(totals[by], week, totals["quantity"], lived) for by in ("part_category", "region")
        )
        return cls(calendar_features(weeks, countries).astype({"holidays": float}), categories, regions)


def feature_rows(
    history: pd.DataFrame, around: Surroundings, horizon: int
) -> Iterator[dict[str, np.ndarray]]:
    """The columns of feature_table by name, some thousand rows at a time; a value that is not known is NaN.

    history: part_id, region, part_category, week, quantity, unit_price of whole series, a row for each week with
    orders, from `LOOKBACK_WEEKS` - 1 before the range of `around` to its end.
    """
    number = history.groupby(SERIES, observed=True).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    history, number = history.iloc[order], number[order]
    lags = feature_lags(horizon)
    each = max(1, _NUMBERS // (LOOKBACK_WEEKS + _ROW_NUMBERS * len(around.calendar)))
    for begin in range(0, number.max(initial=-1) + 1, each):
        some = slice(*np.searchsorted(number, [begin, begin + each]))
        made = _features(history.iloc[some], number[some] - begin, around, lags)
        if len(made["week"]):  # Arrow would not know the type of no texts
            yield made


def _features(
    history: pd.DataFrame, number: np.ndarray, around: Surroundings, lags: Sequence[int]
) -> dict[str, np.ndarray]:
    """number: the series of each row of `history`, from 0 and sorted."""
    weeks = around.calendar["week"].to_numpy("datetime64[D]")
    week = _weeks_since(around.calendar["week"][0], history["week"]) + LOOKBACK_WEEKS - 1
    shape = LOOKBACK_WEEKS - 1 + len(weeks), number[-1] + 1
    quantity, price, row = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    quantity[week, number] = history["quantity"]
    price[week, number] = history["unit_price"]
    row[week, number] = np.arange(len(history))

    ordered, place = quantity > 0, np.arange(len(quantity))[:, None]
    latest = np.maximum.accumulate(np.where(ordered, place, -1))
    earliest = np.minimum.accumulate(np.where(ordered, place, len(quantity))[::-1])[::-1]
    since = (place - latest)[LOOKBACK_WEEKS - 1 :]
    # From here on in one dimension: `t` and `s` are the weeks and series of the rows, `now` the row of the matrices.
    t, s = np.nonzero(since < ALIVE_WEEKS)
    now = t + LOOKBACK_WEEKS - 1
    age = now - earliest[t, s] + 1
    newest = row[latest[now, s], s]

    def over(matrix: np.ndarray, *widths: int) -> list[np.ndarray]:
        return [sums[t, s] for sums in _sums(matrix, len(weeks), widths)]

    widths = (4, 13, 26, YEAR_WEEKS)
    units = dict(zip(widths, over(quantity, *widths), strict=True))
    squares = dict(zip((13, YEAR_WEEKS), over(quantity**2, 13, YEAR_WEEKS), strict=True))
    orders_13, orders = over(ordered.astype(np.int64), 13, YEAR_WEEKS)
    (prices_13,) = over(price, 13)
    mean = {k: units[k] / np.minimum(k, age) for k in widths}
    variance = {k: squares[k] / np.minimum(k, age) - mean[k] ** 2 for k in squares}
    order_mean = units[YEAR_WEEKS] / orders
    order_variance = np.maximum(squares[YEAR_WEEKS] / orders - order_mean**2, 0)
    adi, cv2 = np.minimum(YEAR_WEEKS, age) / orders, order_variance / order_mean**2
    latest_price = history["unit_price"].to_numpy()[newest]
    mean_price = np.divide(prices_13, orders_13, out=latest_price.copy(), where=orders_13 > 0)
    category = around.categories.columns(history["part_category"])[newest]
    region = around.regions.columns(history["region"])[newest]
    return {
        **{name: history[name].to_numpy()[newest] for name in (*SERIES, "part_category")},
        "week": weeks[t],
        "quantity": quantity[now, s],
        "age_weeks": age,
        "weeks_since_order": since[t, s],
        "order_weeks_52": orders,
        **{f"lag_{k}": np.where(age > k, quantity[now - k, s], np.nan) for k in lags},
        **{f"mean_{k}": mean[k] for k in widths},
        **{f"std_{k}": np.sqrt(np.maximum(variance[k], 0)) for k in squares},
        "adi": adi,
        "cv2": cv2,
        "segment": _segments(age, adi, cv2),
        "price": latest_price,
        "price_ratio": latest_price / mean_price,
        **{name: around.calendar[name].to_numpy()[t] for name in CALENDAR_COLUMNS},
        "category_quantity": around.categories.quantity[t, category],
        "category_mean_13": around.categories.mean_13[t, category],
        "region_quantity": around.regions.quantity[t, region],
        "region_mean_13": around.regions.mean_13[t, region],
    }


def _segments(age: np.ndarray, adi: np.ndarray, cv2: np.ndarray) -> np.ndarray:
    frequent, steady = adi < ADI_LIMIT, cv2 < CV2_LIMIT
    which = [age < NEW_WEEKS, frequent & steady, frequent, steady]
    return np.select(which, ["new", "smooth", "erratic", "intermittent"], "lumpy")


def _sums(matrix: np.ndarray, n: int, widths: Sequence[int]) -> list[np.ndarray]:
    """Sums over windows of so many rows, the ascending `widths`, that end with each of the last `n`: (n, columns).

    Added week by week from the newest back, so that a sum depends on nothing but the values in its window.
    """
    total, sums = np.zeros((n, matrix.shape[1]), matrix.dtype), []
    for back in range(widths[-1]):
        total += matrix[len(matrix) - n - back : len(matrix) - back]
        if back + 1 in widths:
            sums.append(total.copy())
    return sums


def _weeks_since(first: date, weeks: pd.Series) -> np.ndarray:
    return (weeks.to_numpy("datetime64[D]") - np.datetime64(first, "D")).astype(np.int64) // 7
