"""Synthetic tables for the reports, with plausible numbers."""

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.backtest import Backtest
from forecasting_assets.forecasting.drivers import DRIVERS, OTHER
from forecasting_assets.reporting.outlook import ForecastTables
from forecasting_assets.tables import ERROR_CORRELATIONS, FORECAST_ERRORS, OVERRIDE_USE, QUANTILES

ORIGIN = pd.Timestamp("2025-03-03")


def weeks_to(last: pd.Timestamp, n: int) -> pd.DatetimeIndex:
    return pd.date_range(end=last, periods=n, freq="7D")


def history(series: int = 6, weeks: int = 60, part: str = "part-{:03d}") -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = weeks_to(ORIGIN, weeks)
    frames = []
    for i in range(series):
        level = 900 / (i + 1)
        season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(weeks) / 52)
        frames.append(
            pd.DataFrame(
                {
                    "week": days,
                    "part_id": part.format(i),
                    "part_category": ["cnc", "sheet", "printing"][i % 3],
                    "region": ["north", "south"][i % 2],
                    "quantity": rng.poisson(level * season).astype(float),
                    "order_count": rng.poisson(9, weeks) + 1,
                    "unit_price": 12.5,
                }
            )
        )
    table = pd.concat(frames, ignore_index=True) if frames else history(1).iloc[:0]
    return table[table["quantity"] > 0]


def forecast(series: int = 6, horizons: int = 8, part: str = "part-{:03d}") -> pd.DataFrame:
    frames = []
    for i in range(series):
        mean = 900 / (i + 1) * (1 + 0.02 * np.arange(horizons))
        h = np.arange(1, horizons + 1)
        spread = mean * 0.1 * np.sqrt(h)
        z = {"q05": -1.64, "q10": -1.28, "q25": -0.67, "q50": 0, "q75": 0.67, "q90": 1.28, "q95": 1.64}
        frames.append(
            pd.DataFrame(
                {
                    "part_id": part.format(i),
                    "region": ["north", "south"][i % 2],
                    "origin_week": ORIGIN,
                    "target_week": ORIGIN + pd.to_timedelta(7 * h, unit="D"),
                    "horizon": h,
                    "mean": mean,
                    **{q: np.maximum(mean + z[q] * spread, 0) for q in QUANTILES},
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else forecast(1).iloc[:0]


def backtest(horizons: int = 8) -> pd.DataFrame:
    quality = {"combined": 0.8, "xgb": 0.84, "sarimax": 0.9, "seasonal_naive": 1.0}
    wape = {"all": 0.30, "smooth": 0.2, "erratic": 0.35, "intermittent": 0.8, "lumpy": 1.1, "new": 0.9}
    rows = []
    for m, (model, factor) in enumerate(quality.items()):
        for s, (segment, base) in enumerate(wape.items()):
            for h in range(horizons + 1):
                error = base * factor * (1 + 0.03 * h)
                metrics = {
                    "rmse": 40 * error,
                    "mape": error * 1.2,
                    "mape_left_out": 0.1,
                    "wape": error,
                    "mase": error * 3,
                    "rmsse": error * 2.9,
                    "pinball": 6 * error,
                    "coverage_80": 0.80 - 0.01 * m,
                    "coverage_90": 0.9 - 0.01 * m - 0.002 * h,
                    "bias": 0.02 - 0.01 * m,
                    "n": 12_000.0 / (s + 1) / (1 if h else 1 / max(horizons, 1)),
                }
                if h and model in ("sarimax", "xgb"):
                    metrics["weight"] = 0.6 if model == "xgb" else 0.4
                rows += [(ORIGIN, model, segment, h, k, v) for k, v in metrics.items()]
    for step, factor in {"plain_average": 0.83, "without_covariates": 0.88, "weighted_average": 0.8}.items():
        values = {"n": 12_000.0, "wape": wape["all"] * factor, "scaled_pinball": factor, "coverage_80": 0.77}
        rows += [(ORIGIN, step, "all", 0, k, v) for k, v in values.items()]
    return pd.DataFrame(rows, columns=["origin_week", "model", "segment", "horizon", "metric", "value"])


def forecast_errors(origins: int = 12, horizons: int = 3) -> pd.DataFrame:
    groups = [("total", ""), ("part_category", "press"), ("region", "north"), ("value_class", "A")]
    size = {"combined": 0.2, "xgb": 0.2, "sarimax": 0.3, "seasonal_naive": 0.9}
    rng = np.random.default_rng(5)
    rows = [
        (week, *group, model, h, 40, 960.0, 1000.0, 1000 * error * rng.uniform(0.9, 1.1))
        for week in weeks_to(ORIGIN, origins + 1)[:-1]
        for group in groups
        for model, error in size.items()
        for h in range(1, horizons + 1)
    ]
    return pd.DataFrame(rows, columns=FORECAST_ERRORS.names)


def part_errors(n: int = 30, part: str = "part-{:03d}") -> pd.DataFrame:
    size = np.arange(n, 0.0, -1)
    return pd.DataFrame(
        {
            "part_id": [part.format(i) for i in range(n)],
            "region": "north",
            "part_category": "press",
            "value_class": "A",
            "cells": 24,
            "forecast": 90 * size,
            "actual": 100 * size,
            "absolute_error": 20 * size,
            "error_value": 70 * size,
            "inside_80": 19,
            "tracking_signal": -4.0,
        }
    )


def judged(report: pd.DataFrame, part: str = "part-{:03d}") -> Backtest:
    return Backtest(
        report, pd.DataFrame(columns=ERROR_CORRELATIONS.names), forecast_errors(), part_errors(part=part)
    )


def forecast_tables(series: int = 6, part: str = "part-{:03d}") -> ForecastTables:
    """Build what the page about forecasts shows; the first series has an override."""
    now, past = forecast(series, part=part), history(series, part=part)
    category = past.drop_duplicates(["part_id", "region"])[["part_id", "region", "part_category"]]
    plan = now.merge(category, on=["part_id", "region"]).rename(columns={"target_week": "due_week"})
    first = plan["part_id"].iloc[0]
    override = plan["mean"].mul(2).where((plan["part_id"] == first) & (plan["horizon"] <= 2))
    plan = plan.assign(
        statistical=plan["mean"],
        booked=plan["mean"] * (plan["horizon"] == 1) * 0.5,
        override=override,
        quantity=override.fillna(plan["mean"]),
        unit_price=12.5,
        reason=override.map(lambda units: "trade fair", na_action="ignore"),
        author=override.map(lambda units: "Ann", na_action="ignore"),
    )
    earlier = [
        now.assign(origin_week=ORIGIN - pd.Timedelta(days=7 * o), mean=now["mean"] + o) for o in (1, 2, 9)
    ]
    keys = now[["part_id", "region"]].drop_duplicates(ignore_index=True)
    drivers = keys.assign(level=1000.0, xgb=1100.0, **dict.fromkeys([*DRIVERS, OTHER], 0.0))
    drivers = drivers.assign(season=140.0, price=-40.0)
    return ForecastTables(
        ORIGIN.date(),
        8,
        past,
        now,
        plan,
        pd.concat(earlier, ignore_index=True),
        keys.merge(part_errors(series, part).drop(columns="region"), on="part_id"),
        forecast_errors(),
        drivers,
    )


def load(manufacturers: int = 12, weeks: int = 8, name: str = "manufacturer-{:02d}") -> pd.DataFrame:
    rng = np.random.default_rng(2)
    days = pd.date_range(ORIGIN + pd.Timedelta(weeks=1), periods=weeks, freq="7D")
    capacity = rng.integers(40, 400, manufacturers).repeat(weeks).astype(float)
    share = np.minimum(rng.uniform(0.3, 1.25, manufacturers * weeks), 1.15)
    hours = capacity * np.where((share > 1) & (share < 1.02), 1, share)
    return pd.DataFrame(
        {
            "manufacturer_id": np.repeat([name.format(i) for i in range(manufacturers)], weeks),
            "production_week": np.tile(days, manufacturers),
            "capacity_hours": capacity,
            "load_hours": hours,
            "overtime_hours": np.maximum(hours - capacity, 0),
            "overtime_capacity_hours": capacity * 0.2,
            "beyond_horizon": 0,
            "activation_cost": 0.0,
            "shadow_price": np.where(hours >= capacity, 14.5, 0.0),
        }
    )


def plan(lines: int = 400, part: str = "part-{:03d}", name: str = "manufacturer-{:02d}") -> pd.DataFrame:
    rng = np.random.default_rng(3)
    i = np.arange(lines)
    quantity = rng.integers(1, 400, lines).astype(float)
    parts = {
        "production_cost": 9.0 * quantity,
        "overtime_cost": np.where(i % 7 == 0, 2.0 * quantity, 0.0),
        "lane_cost": 0.8 * quantity,
        "holding_cost": np.where(i % 5 == 0, 0.1 * quantity, 0.0),
        "lateness_cost": 0.3 * quantity,
    }
    table = pd.DataFrame(
        {
            "manufacturer_id": [name.format(k % 12) for k in i],
            "part_id": [part.format(k) for k in i],
            "part_category": "cnc",
            "region": [["north", "south"][k % 2] for k in i],
            "production_week": ORIGIN + pd.to_timedelta(7 * (1 + i % 8), unit="D"),
            "due_week": ORIGIN + pd.to_timedelta(7 * (2 + i % 8), unit="D"),
            "quantity": quantity,
            "locked_quantity": np.where(i % 11 == 0, quantity, 0.0),
            "overtime_quantity": np.where(i % 7 == 0, quantity, 0.0),
            "cost": sum(parts.values()),
            **parts,
        }
    )
    return table


def shortages(n: int = 5, part: str = "part-{:03d}") -> pd.DataFrame:
    i = np.arange(n)
    return pd.DataFrame(
        {
            "part_id": [part.format(k) for k in i],
            "region": ["north"] * n,
            "due_week": ORIGIN + pd.to_timedelta(7 * (1 + i % 8), unit="D"),
            "quantity": 10.0 + i,
            "cost": 12.5,
        }
    )


def impact(weeks: int = 3, biases: tuple[int, ...] = (-30, -20, -10, 0, 10, 20, 30)) -> pd.DataFrame:
    policies = {
        "plan": (1.0, 0.972, 0.83),
        "status_quo": (1.13, 0.905, 0.74),
        "perfect_foresight": (0.94, 0.99, 0.86),
    }
    policies |= {
        f"plan_bias_{b:+03d}": (1 + abs(b) / 150 + (b < 0) * 0.05, 0.972 + min(b, 0) / 250, 0.8)
        for b in biases
    }
    policies |= {f"plan_noise_{n}": (1 + n / 150, 0.972 - n / 400, 0.8) for n in (10, 20, 30, 40)}
    rows = []
    for weeks_after_first, week in enumerate(weeks_to(ORIGIN, weeks), start=1):
        for policy, (cost, on_time, used) in policies.items():
            metrics = {
                "demand_units": 20_000.0,
                "absolute_error": 20_000 * (0.2 + abs(cost - 1)),
                "on_time_units": 20_000 * on_time,
                "late_units": 20_000 * (0.99 - on_time),
                "shortage_units": 100.0,
                "overdue_units": 100.0 * weeks_after_first,
                "overdue_change_units": 100.0,
                "stock_units": 40.0,
                "on_time_rate": on_time,
                "fill_rate": 0.995,
                "utilisation": used,
                "cost": 240_000 * cost,
                "production_cost": 181_000.0,
                "inventory_cost": -1_000.0,
                "overtime_cost": 12_000 * cost,
                "lane_cost": 20_000.0,
                "holding_cost": 3_000.0,
                "lateness_cost": 240_000 * cost - 215_000 - 12_000 * cost,
            }
            rows += [(week, policy, metric, value) for metric, value in metrics.items()]
    return pd.DataFrame(rows, columns=["week", "policy", "metric", "value"])


def importance(n: int = 45) -> pd.DataFrame:
    return pd.DataFrame({"feature": [f"lag_{i}" for i in range(n)], "gain": 1000.0 * 0.8 ** np.arange(n)})


def reasons(n: int = 4) -> pd.DataFrame:
    i = np.arange(n)
    return pd.DataFrame(
        {
            "kind": np.where(i % 2, "late", "short"),
            "part_category": "sheet",
            "region": "north",
            "due_week": ORIGIN + pd.to_timedelta(7 * (1 + i), unit="D"),
            "quantity": 12.0 + i,
            "reason": "sheet for north: the cheapest way left is M1 in week 2026-01-05, but all 40 hours are planned",
            "manufacturer_id": "M1",
            "production_week": ORIGIN,
            "rule": "regular_hours",
            "price": 4.1,
            "price_unit": "hour",
        }
    )


def rules(n: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rule": ["minimum_load", "maximum_share"][:n],
            "subject": ["M1", "sheet at M1"][:n],
            "limit": [100.0, 60.0][:n],
            "planned": [100.0, 66.0][:n],
            "eased": [0.0, 6.0][:n],
            "contradicts": ["", "minimum_load of M1"][:n],
            "shadow_price": [1.5, 0.0][:n],
        }
    )


def capabilities(manufacturers: int = 12, name: str = "manufacturer-{:02d}") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "manufacturer_id": [name.format(i) for i in range(manufacturers)],
            "part_category": "cnc",
            "hours_per_unit": [0.1 * (i + 1) for i in range(manufacturers)],
            "unit_cost": 9.0,
        }
    )


def proof() -> pd.DataFrame:
    return pd.DataFrame({"kind": ["bound", "gap"], "value": [1_200_000.0, 0.0001]})


def changes() -> pd.DataFrame:
    weeks = ORIGIN + pd.to_timedelta([7, 14, 7], unit="D")
    return pd.DataFrame(
        {
            "kind": ["moved", "new", "dropped"],
            "reason": ["capacity", "forecast", "override"],
            "part_id": ["part-001", "part-002", "part-003"],
            "part_category": "cnc",
            "region": "north",
            "due_week": weeks,
            "from_manufacturer": ["manufacturer-01", None, "manufacturer-02"],
            "from_week": [weeks[0], pd.NaT, weeks[2]],
            "to_manufacturer": ["manufacturer-02", "manufacturer-03", None],
            "to_week": [weeks[1], weeks[1], pd.NaT],
            "quantity": [1200.0, 300.0, 45.0],
        }
    )


def commitments() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": ["lock", "promise", "lock"],
            "promise_id": ["", "order 7", ""],
            "manufacturer_id": ["manufacturer-01", "", "manufacturer-02"],
            "part_id": ["part-001", "part-002", ""],
            "part_category": "cnc",
            "region": "north",
            "production_week": ORIGIN + pd.Timedelta(weeks=1),
            "due_week": ORIGIN + pd.Timedelta(weeks=2),
            "quantity": [100.0, 20.0, 5.0],
            "planned": [60.0, 0.0, 5.0],
            "why": ["the hours left are enough for 60 units", "no stock", ""],
        }
    )


def overrides() -> pd.DataFrame:
    row = dict.fromkeys(OVERRIDE_USE.names)
    known = {
        "file": "overrides.csv",
        "row": 4,
        "part_id": "part-009",
        "author": "Kim",
        "problem": "no forecast",
    }
    return pd.DataFrame([row | known | {"week_from": ORIGIN + pd.Timedelta(weeks=1)}])
