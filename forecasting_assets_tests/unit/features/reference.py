"""Reference implementation of feature_table: one series and week at a time, as simple and slow as possible."""

from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import fmean, pvariance
from typing import Any

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.features.window import feature_lags
from forecasting_assets.weeks import add_weeks, weeks_apart, weeks_between


@dataclass(frozen=True)
class Order:
    """The orders of a series in a week, added up."""

    quantity: float
    price: float
    category: str


#: (part, region) -> week -> orders.
Market = dict[tuple[str, str], dict[date, Order]]


def features(
    market: Market, week: date, start: date, horizon: int, countries: tuple[str, ...]
) -> list[dict[str, object]]:
    """Compute the rows of `week`, by part and region."""
    calendar = calendar_features([week], countries).drop(columns="week").iloc[0].to_dict()
    rows: list[dict[Any, Any]] = []
    for (part, region), orders in sorted(market.items()):
        if not any(w in orders for w in _last(52, week)):
            continue
        first = min(w for w in _last(104, week) if w in orders)
        latest = max(w for w in orders if w <= week)
        category, price = orders[latest].category, orders[latest].price
        life = weeks_between(first, week)
        demand = [orders[w].quantity if w in orders else 0.0 for w in life]
        sizes = [orders[w].quantity for w in _last(52, week) if w in orders]
        prices = [orders[w].price for w in _last(13, week) if w in orders]
        adi, cv2 = len(life[-52:]) / len(sizes), pvariance(sizes) / fmean(sizes) ** 2
        rows.append(
            {
                "part_id": part,
                "part_category": category,
                "region": region,
                "week": week,
                "quantity": demand[-1],
                "age_weeks": len(life),
                "weeks_since_order": weeks_apart(latest, week),
                "order_weeks_52": len(sizes),
                **{f"lag_{k}": demand[-1 - k] if k < len(life) else None for k in feature_lags(horizon)},
                **{f"mean_{k}": fmean(demand[-k:]) for k in (4, 13, 26, 52)},
                **{f"std_{k}": sqrt(pvariance(demand[-k:])) for k in (13, 52)},
                "adi": adi,
                "cv2": cv2,
                "segment": _segment(len(life), adi, cv2),
                "price": price,
                "price_ratio": price / fmean(prices) if prices else 1.0,
                **calendar,
                **_group(
                    "category",
                    [
                        (w, o.quantity)
                        for s in market.values()
                        for w, o in s.items()
                        if o.category == category
                    ],
                    week,
                    start,
                ),
                **_group(
                    "region",
                    [(w, o.quantity) for key, s in market.items() for w, o in s.items() if key[1] == region],
                    week,
                    start,
                ),
            }
        )
    return rows


def _last(n: int, week: date) -> list[date]:
    return weeks_between(add_weeks(week, 1 - n), week)


def _segment(age: int, adi: float, cv2: float) -> str:
    if age < 13:
        return "new"
    if adi < 1.32:
        return "smooth" if cv2 < 0.49 else "erratic"
    return "intermittent" if cv2 < 0.49 else "lumpy"


def _group(name: str, sold: list[tuple[date, float]], week: date, start: date) -> dict[str, float]:
    weeks = [w for w in _last(13, week) if w >= start]
    return {
        f"{name}_quantity": sum(quantity for w, quantity in sold if w == week),
        f"{name}_mean_13": sum(quantity for w, quantity in sold if w in weeks) / len(weeks),
    }
