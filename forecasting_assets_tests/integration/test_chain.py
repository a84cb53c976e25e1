"""The chain from landed files to the plan, run as users run it."""

import shutil
from pathlib import Path
from urllib.parse import unquote

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from devtools.model_cache import forget_fits
from forecasting_assets.allocation import WARM_UP_WEEKS
from forecasting_assets.features.build import build_features, feature_columns
from forecasting_assets.features.window import FeatureWeeks
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.spark_tables import read_weeks
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BACKTEST_REPORT,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    CLEAN_ORDERS,
    CLEANED_POINTS,
    DEMAND_FORECAST,
    MARKET,
    MARKET_FORECAST,
    ORDER_BOOK,
    PLAN_SHORTAGES,
    QUANTILES,
    RAW_ORDERS,
    REJECTED_ORDERS,
    REJECTION_REASONS,
    REPLAY_STATE,
    SARIMAX_MODEL,
    SERIES,
    SUPPLY_LEDGER,
    SUPPLY_POSITION,
    WEEKLY_DEMAND,
    XGB_MODEL,
)
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, rows
from forecasting_assets_tests.support.spark import spark_session

pytestmark = pytest.mark.spark

FEATURES = feature_columns(6)
TABLES = [
    RAW_ORDERS,
    CLEAN_ORDERS,
    REJECTED_ORDERS,
    ORDER_BOOK,
    WEEKLY_DEMAND,
    FEATURES,
    SARIMAX_MODEL,
    CLEANED_POINTS,
    MARKET_FORECAST,
    XGB_MODEL,
    BACKTEST_REPORT,
    DEMAND_FORECAST,
    ALLOCATION_PLAN,
    CAPACITY_LOAD,
    PLAN_SHORTAGES,
    BUSINESS_IMPACT,
    REPLAY_STATE,
    SUPPLY_LEDGER,
    SUPPLY_POSITION,
]


def test_exactly_the_known_dirt_is_rejected_in_every_week(home):
    lake, known = home.lake, home.known.weekly
    rejected = lake.read_pandas(REJECTED_ORDERS, WEEKS, ["reason"])
    found = rejected.groupby(["week", "reason"]).size().unstack(fill_value=0)
    found = found.reindex(index=known.index, columns=REJECTION_REASONS, fill_value=0)
    pd.testing.assert_frame_equal(found, known[REJECTION_REASONS], check_names=False, check_dtype=False)
    assert {w: lake.rows(CLEAN_ORDERS, w) for w in WEEKS} == dict(zip(WEEKS, known["clean"], strict=True))
    assert {w: lake.rows(RAW_ORDERS, w) for w in WEEKS} == dict(zip(WEEKS, known["landed"], strict=True))


def test_every_series_of_the_market_has_demand_or_is_booked(home):
    demand = home.lake.read_pandas(WEEKLY_DEMAND, WEEKS)
    found = (
        pd.concat([demand, home.lake.read_pandas(ORDER_BOOK, WEEKS[-1:])])[SERIES]
        .drop_duplicates()
        .sort_values(SERIES, ignore_index=True)
    )
    known = home.known.series[SERIES].sort_values(SERIES, ignore_index=True)
    pd.testing.assert_frame_equal(found, known, check_dtype=False)


def test_units_are_conserved_from_lines_to_demand(home):
    ordered, wanted, booked = (
        home.lake.read_pandas(table, WEEKS, ["quantity"])
        .groupby("week")["quantity"]
        .sum()
        .reindex(pd.DatetimeIndex([pd.Timestamp(week) for week in WEEKS]), fill_value=0.0)
        for table in (CLEAN_ORDERS, WEEKLY_DEMAND, ORDER_BOOK)
    )
    assert booked.min() > 0
    pd.testing.assert_series_equal(ordered.cumsum(), wanted.cumsum() + booked, check_freq=False)


def test_no_forecast_is_below_what_is_booked(home):
    forecast = home.lake.read_pandas(DEMAND_FORECAST, PLANNED)
    book = home.lake.read_pandas(ORDER_BOOK, PLANNED, [*SERIES, "due_week", "quantity"])
    book = book.rename(columns={"due_week": "target_week"})
    both = forecast.merge(book, on=["week", *SERIES, "target_week"])
    assert len(both) > 100
    for name in ("mean", *QUANTILES):
        assert (both[name] >= both["quantity"] * (1 - 1e-12)).all(), name


def test_features_say_what_the_demand_was(home):
    week = WEEKS[-1]
    known = home.lake.read_pandas(FEATURES, [week]).set_index(SERIES)
    demand = home.lake.read_pandas(WEEKLY_DEMAND, WEEKS)
    table = demand.pivot_table(index=SERIES, columns="week", values="quantity", fill_value=0.0)
    table = table.reindex(columns=pd.DatetimeIndex([pd.Timestamp(w) for w in WEEKS]), fill_value=0.0)
    assert set(known.index) == set(table.index[(table.iloc[:, -52:] > 0).any(axis=1)])
    table = table.loc[known.index]
    born = table.gt(0).to_numpy().argmax(axis=1)
    old = len(WEEKS) - born
    for k in (1, 4, 13, 52):
        lag = table.iloc[:, -1 - k].where(old > k)
        pd.testing.assert_series_equal(known[f"lag_{k}"], lag, check_names=False)
    for k in (4, 13, 52):
        mean = table.iloc[:, -k:].sum(axis=1) / pd.Series(old, table.index).clip(upper=k)
        pd.testing.assert_series_equal(known[f"mean_{k}"], mean, check_names=False)
    last_52 = table.iloc[:, -52:]
    interval = pd.Series(old, table.index).clip(upper=52) / last_52.gt(0).sum(axis=1)
    pd.testing.assert_series_equal(known["adi"], interval, check_names=False)
    sizes = last_52.where(last_52 > 0)
    cv2 = (sizes.std(axis=1, ddof=0) / sizes.mean(axis=1)) ** 2
    pd.testing.assert_series_equal(known["cv2"], cv2, check_names=False, atol=1e-12)
    region = table.iloc[:, -1].groupby("region").sum()
    assert known["region_quantity"].groupby("region").first().to_dict() == pytest.approx(region.to_dict())


def test_series_without_recent_orders_have_no_features(home):
    week, ended = WEEKS[-1], WEEKS[-53]
    demand = read_weeks(spark_session(home.settings.spark), home.lake, WEEKLY_DEMAND, [ended])
    assert demand.count()
    for history in (demand, demand.limit(0)):
        made = build_features(history, FeatureWeeks(week, week, WEEKS[0], ("US",)), 6, 2)
        assert made.columns == FEATURES.names
        assert made.count() == 0
    assert (
        build_features(demand, FeatureWeeks(ended, ended, WEEKS[0], ("US",)), 6, 2).count() == demand.count()
    )


def test_weeks_that_spark_writes_are_packed(home):
    file = pq.ParquetFile(f"{home.lake.path}/raw_orders/week={PLANNED[0]}/data.parquet")
    assert {file.metadata.row_group(0).column(i).compression for i in range(file.metadata.num_columns)} == {
        "ZSTD"
    }


def test_a_week_alone_holds_what_it_holds_in_a_range(home, home_copy):
    week = PLANNED[-1]
    for table in TABLES:
        shutil.rmtree(home_copy.path / "lake" / table.name / f"week={week}")
    forget_fits(home_copy.path)
    assert materialize(home_copy.settings, [week])
    for table in TABLES:
        pd.testing.assert_frame_equal(
            rows(home, table, week), rows(home_copy, table, week), rtol=1e-9, atol=1e-12, obj=table.name
        )


def test_no_week_depends_on_orders_after_it(home, home_copy):
    poisoned = PLANNED[3]
    later = [w for w in WEEKS if w > poisoned]
    landing = home_copy.path / "landing" / "orders"
    lines = [
        f"P{i},x{i},{week},{part},{region},{10**6},1"
        for week in later
        for i, (part, region) in enumerate(home.known.series[SERIES].itertuples(index=False))
    ]
    header = "order_id,line_id,order_date,part_id,region,quantity,unit_price\n"
    (landing / "poison.csv").write_text(header + "\n".join(lines) + "\n")
    assert materialize(home_copy.settings, WEEKS[WEEKS.index(poisoned) :], "+key:feature_table")
    forget_fits(home_copy.path)
    assert materialize(home_copy.settings, [poisoned])
    for table in TABLES:
        pd.testing.assert_frame_equal(
            rows(home, table, poisoned),
            rows(home_copy, table, poisoned),
            rtol=1e-9,
            atol=1e-12,
            obj=table.name,
        )
    assert home_copy.lake.read_pandas(WEEKLY_DEMAND, [later[0]])["quantity"].max() > 10**6


def test_every_market_is_forecast_and_the_sum_of_its_series_comes_closer(home):
    for week in PLANNED:
        market = home.lake.read_pandas(MARKET_FORECAST, [week]).set_index([*MARKET, "horizon"])["mean"]
        alive = home.lake.read_pandas(FEATURES, [week], [*SERIES, "part_category", "segment"])
        assert market.index.droplevel("horizon").unique().size == alive.groupby(MARKET).ngroups
        models = {
            name: home.lake.read_pandas(table, [week])
            for name, table in (("sarimax", SARIMAX_MODEL), ("xgb", XGB_MODEL))
        }
        book, report = (home.lake.read_pandas(table, [week]) for table in (ORDER_BOOK, BACKTEST_REPORT))
        apart = combine(models, alive, report, book)
        gap = {}
        for name, table in (("apart", apart), ("made", home.lake.read_pandas(DEMAND_FORECAST, [week]))):
            named = table.merge(alive, on=SERIES)
            sums = named.groupby([*MARKET, "horizon"])["mean"].sum()
            gap[name] = (sums - market.reindex(sums.index)).abs()
        assert (gap["made"] <= gap["apart"] + 1e-6).all()
        assert gap["made"].sum() < 0.9 * gap["apart"].sum()


def test_forecasts_cover_every_living_series_and_horizon(home):
    for week in PLANNED:
        alive = home.lake.read_pandas(FEATURES, [week], SERIES)
        for table in (SARIMAX_MODEL, XGB_MODEL, DEMAND_FORECAST):
            made = home.lake.read_pandas(table, [week])
            assert len(made) == len(alive) * 6
            assert set(made["horizon"]) == set(range(1, 7))
            assert (
                made["target_week"] == made["origin_week"] + pd.to_timedelta(7 * made["horizon"], unit="D")
            ).all()


def test_plans_and_reports_are_there(home):
    for week in PLANNED:
        folder = home.path / "reports" / f"week={week}"
        assert (folder / "plan.html").stat().st_size > 10_000
        assert (folder / "backtest.html").stat().st_size > 10_000
    impact = home.lake.read_pandas(BUSINESS_IMPACT, PLANNED)
    assert {"plan", "status_quo", "perfect_foresight", "plan_bias_-30", "plan_bias_+30"} <= set(
        impact["policy"]
    )
    cost = impact[impact["metric"] == "cost"].pivot(index="week", columns="policy", values="value")
    # The first weeks of a replay lead up to the others.
    assert set(cost.index) == {pd.Timestamp(week) for week in PLANNED[1 + WARM_UP_WEEKS :]}
    total = cost.sum()
    assert total["perfect_foresight"] < total["plan"] < total["status_quo"]


def test_published_plans_carried_out_make_what_was_needed(home):
    position, ledger, plan, demand = (
        home.lake.read_pandas(table, PLANNED)
        for table in (SUPPLY_POSITION, SUPPLY_LEDGER, ALLOCATION_PLAN, WEEKLY_DEMAND)
    )
    first, last = (pd.Timestamp(week) for week in (PLANNED[0], PLANNED[-1]))
    started = plan[(plan["production_week"] == plan["week"] + pd.Timedelta(days=7)) & (plan["week"] < last)]
    units = position["quantity"].where(position["kind"] != "overdue", -position["quantity"])
    at_end, at_begin = (
        position.assign(units=units)[position["week"] == week].groupby(SERIES)["units"].sum()
        for week in (last, first)
    )
    later = ledger[ledger["week"] > first].groupby(SERIES)
    columns = {
        "made": started.groupby(SERIES)["quantity"].sum(),
        "wanted": demand[demand["week"] > first].groupby(SERIES)["quantity"].sum(),
        "given_up": later["given_up"].sum(),
        "found": later[["count_difference", "arriving_difference"]].sum().sum(axis=1),
        "change": at_end.sub(at_begin, fill_value=0.0),
    }
    sums = pd.concat(columns, axis=1).fillna(0.0)
    assert sums["made"].sum() > 0
    expected = sums["made"] - sums["wanted"] + sums["given_up"] + sums["found"]
    np.testing.assert_allclose(expected, sums["change"], atol=1e-6)


def test_metadata_and_checks_are_recorded_for_each_week_of_a_range(home):
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        for week in PLANNED:
            record = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey("demand_forecast"), asset_partitions=[str(week)]), limit=1
            ).records[0]
            assert record.asset_materialization is not None
            metadata = record.asset_materialization.metadata
            made = home.lake.rows(DEMAND_FORECAST, week)
            assert metadata["dagster/partition_row_count"].value == made
            picture = str(metadata["demand_and_forecast"].value)
            address = unquote(picture.rpartition("(")[2].rstrip(")").removeprefix(home.settings.reports.url))
            assert (
                (Path(home.settings.reports_path) / address.lstrip("/")).read_bytes().startswith(b"\x89PNG")
            )
            assert len(str(metadata["first_rows"].value)) < 1000
        history = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("allocation_plan"), "solver_certified"), limit=100
        )
        assert {r.partition: r.status.value for r in history} == {str(w): "SUCCEEDED" for w in PLANNED}


def test_weeks_that_were_never_materialized_are_named(home_copy, capsys):
    shutil.rmtree(home_copy.path / "lake" / "weekly_demand" / f"week={WEEKS[-3]}")
    assert not materialize(home_copy.settings, [WEEKS[-1]], "key:feature_table")
    assert f"weekly_demand has not been materialized for {WEEKS[-3]}" in capsys.readouterr().out


def test_a_week_without_orders_succeeds_with_zero_rows(home_copy):
    landing = home_copy.path / "landing" / "orders"
    before, empty, after = WEEKS[:3]  # no earlier order is booked
    for file in landing.rglob("*"):
        if file.is_file():
            file.unlink()
    (landing / "one.csv").write_text(
        f"order_id,order_date,part_id,region,quantity,unit_price\na,{before},p,EU,1,2\nb,{after},p,EU,3,2\n"
    )
    assert materialize(home_copy.settings, WEEKS[:3], "+key:weekly_demand")
    counts = [
        home_copy.lake.rows(t, empty) for t in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS, WEEKLY_DEMAND)
    ]
    assert counts == [0, 0, 0, 0]
    assert home_copy.lake.rows(WEEKLY_DEMAND, after) == 1


def test_a_history_that_begins_with_an_empty_week_and_one_order_is_planned(tmp_path, capsys):
    from forecasting_assets.settings import load_settings
    from forecasting_assets.weeks import parse_week, weeks_between

    header = "order_id,order_date,part_id,region,quantity,unit_price"
    files = {
        "orders/a.csv": f"{header},Customer.ID\na,2024-03-06,p,EU,4,10,c\n",
        "orders/none.csv": header,
        "network/manufacturers.csv": "manufacturer_id,region,capacity_hours_per_week\nM1,EU,40\n",
        "network/capabilities.csv": "manufacturer_id,part_category,hours_per_unit,unit_cost\nM1,default,1,5\n",
        "network/lanes.csv": "from_region,to_region,unit_cost,transit_weeks\nEU,EU,1,0\n",
    }
    for name, text in files.items():
        file = tmp_path / "landing" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "forecasting.toml").write_text("[calendar]\nfirst_week = 2024-02-26\n")
    weeks = weeks_between(parse_week("2024-02-26"), parse_week("2024-03-18"))
    assert materialize(load_settings(tmp_path), weeks), capsys.readouterr().out
    lake = Lake(path=str(tmp_path / "lake"))
    assert [lake.rows(DEMAND_FORECAST, week) for week in weeks] == [0, 8, 8, 8]
    plan = lake.read_pandas(ALLOCATION_PLAN, [weeks[-1]])
    assert set(plan["manufacturer_id"]) == {"M1"}
