"""From landed order files to features with Polars; see etl_peers.py."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.etl_peers import DEVIATIONS, ISO_8601, LANDED, MEANS, NUMBER, PeerTask, order_files
from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.features.demand_patterns import ADI_LIMIT, CV2_LIMIT, NEW_WEEKS
from forecasting_assets.features.window import ACTIVE_WEEKS, LOOKBACK_WEEKS, feature_lags
from forecasting_assets.weeks import YEAR_WEEKS

#: Files read at once.
BATCH = 60
SERIES = ["part_id", "region"]


def with_polars(task: PeerTask) -> None:
    """Make all tables with Polars, in batches of files and weeks to limit memory; Polars has no memory limit."""
    _raw(order_files(task.orders), task.out)
    for week in task.weeks:
        _week(task.out, week)
    _features(task)


def _raw(files: dict[str, list[Path]], out: Path) -> None:
    texts = dict.fromkeys(LANDED, pl.String)
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "csv": lambda path: pl.read_csv(path, infer_schema=False),
        "gz": lambda path: pl.read_csv(path, infer_schema=False),
        "jsonl": lambda path: pl.read_ndjson(path, schema=texts),
        "parquet": pl.read_parquet,
    }
    paths = [(path, readers[kind]) for kind, of_kind in files.items() for path in of_kind]
    for begin in range(0, len(paths), BATCH):
        parts = []
        for path, read in paths[begin : begin + BATCH]:
            rows = read(path)
            if path.suffix == ".parquet":
                iso = pl.col("order_date").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
                rows = rows.with_columns(iso).cast(pl.String)
            absent = [pl.lit(None, pl.String).alias(name) for name in LANDED if name not in rows.columns]
            parts.append(
                rows.with_columns(
                    *absent,
                    source_file=pl.lit(str(path)),
                    source_row=pl.int_range(1, pl.len() + 1),
                    source_modified=pl.lit(path.stat().st_mtime_ns),
                    known=_date(pl.col("order_date")).dt.truncate("1w").dt.date(),
                ).with_columns(week=pl.col("known").fill_null(pl.col("known").max()))
            )
        by_week = pl.concat(parts, how="diagonal").drop("known").partition_by("week", as_dict=True)
        for (week,), rows in by_week.items():
            folder = out / "raw" / f"week={week}"
            folder.mkdir(parents=True, exist_ok=True)
            rows.write_parquet(folder / f"{begin}.parquet")


def _date(text: pl.Expr) -> pl.Expr:
    """Parse dates and times with a `T` or a space, in UTC."""
    plain = text.str.strip_chars()
    iso = pl.when(plain.str.contains(ISO_8601)).then(plain.str.replace(" ", "T").str.strip_suffix("Z"))
    day = iso.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    return pl.coalesce(
        day,
        *(
            iso.str.to_datetime(f"%Y-%m-%dT{f}", time_unit="us", strict=False)
            for f in ("%H:%M:%S%.f", "%H:%M")
        ),
    )


def _week(out: Path, week: date) -> None:
    def text(name: str) -> pl.Expr:
        plain = pl.col(name).str.strip_chars()
        return pl.when(plain != "").then(plain)

    def number(name: str) -> pl.Expr:
        valid = text(name).str.contains(NUMBER)
        return pl.when(valid).then(text(name).cast(pl.Float64, strict=False))

    raw = pl.read_parquet(out / "raw" / f"week={week}" / "*.parquet")
    typed = raw.with_columns(
        c_date=_date(pl.col("order_date")),
        c_quantity=number("quantity"),
        c_price=number("unit_price"),
        **{f"c_{name}": text(name) for name in ("order_id", "line_id", "part_id", "region", "part_category")},
    )
    identified = pl.col("c_order_id").is_not_null() & pl.col("c_line_id").is_not_null()
    newest_last = typed.sort("source_modified", "source_file", "source_row")
    lone = pl.when(~identified).then(pl.concat_str(LANDED, separator="\0", ignore_nulls=True))
    aged = newest_last.with_columns(lone=lone).with_columns(
        duplicate=~pl.struct("c_order_id", "c_line_id", "lone").is_last_distinct()
    )
    rules = {
        "bad_date": pl.col("c_date").is_null() | (pl.col("c_date").dt.truncate("1w").dt.date() != week),
        "bad_quantity": pl.col("c_quantity").is_null(),
        "non_positive_quantity": pl.col("c_quantity") <= 0,
        "bad_price": pl.col("c_price").is_null(),
        "non_positive_price": pl.col("c_price") <= 0,
        "missing_part": pl.col("c_part_id").is_null(),
        "missing_region": pl.col("c_region").is_null(),
        "duplicate": pl.col("duplicate"),
    }
    reason = pl.coalesce(pl.when(rule).then(pl.lit(name)) for name, rule in rules.items())
    classified = aged.with_columns(reason=reason)
    source = ["source_file", "source_row"]
    rejected = classified.filter(pl.col("reason").is_not_null())
    _write(rejected.select(*LANDED, *source, "source_modified", "reason"), out / "rejected", week)
    clean = classified.filter(pl.col("reason").is_null()).select(
        order_id="c_order_id",
        order_date="c_date",
        part_id="c_part_id",
        part_category=pl.col("c_part_category").fill_null("default"),
        region="c_region",
        quantity="c_quantity",
        unit_price="c_price",
        line_id="c_line_id",
        source_file="source_file",
        source_row="source_row",
    )
    _write(clean, out / "clean", week)
    clean = pl.read_parquet(out / "clean" / f"week={week}" / "data.parquet")
    demand = clean.group_by("part_id", "region").agg(
        pl.col("part_category").sort_by("order_date", "part_category").last(),
        pl.col("quantity").sum(),
        pl.col("order_id").n_unique().alias("order_count"),
        unit_price=(pl.col("quantity") * pl.col("unit_price")).sum() / pl.col("quantity").sum(),
    )
    _write(demand, out / "demand", week)


def _write(frame: pl.DataFrame, folder: Path, week: date) -> None:
    (folder / f"week={week}").mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"week={week}" / "data.parquet")


def _features(task: PeerTask) -> None:
    weeks, lags = task.weeks, feature_lags(task.horizon)
    demand = pl.read_parquet(
        task.out / "demand" / "*" / "*.parquet", hive_partitioning=True, try_parse_hive_dates=True
    )
    week_numbers = pl.DataFrame({"week": weeks, "t": range(len(weeks))})
    windowed = _windows(demand.join(week_numbers, on="week"), week_numbers, lags)
    features = _derived(windowed, lags)
    calendar = pl.from_pandas(calendar_features(weeks, task.countries))
    features = features.join(calendar.with_columns(pl.col("week").cast(pl.Date)), on="week")
    for by in ("part_category", "region"):
        features = features.join(_totals(windowed, by, week_numbers), on=[by, "t"])
    drop = ["t", "born", "order_count", "unit_price", "price_13", "order_mean", "square_mean"]
    drop += [c for c in features.columns if c.startswith(("raw_", "sum_", "squares_"))]
    for (week,), rows in features.drop(drop).partition_by("week", as_dict=True).items():
        _write(rows.drop("week"), task.out / "features", week)


def _windows(demand: pl.DataFrame, week_numbers: pl.DataFrame, lags: Sequence[int]) -> pl.DataFrame:
    """Fill weeks without orders with zeros, and compute sums over rolling windows of each series."""
    n_weeks = len(week_numbers)
    born = demand.group_by(SERIES).agg(born=pl.col("t").min())
    grid = born.with_columns(t=pl.int_ranges("born", n_weeks)).explode("t").join(week_numbers, on="t")
    filled = grid.join(demand.drop("week"), on=[*SERIES, "t"], how="left").sort(*SERIES, "t")
    filled = filled.with_columns(pl.col("quantity").fill_null(0.0))
    ordered = pl.when(pl.col("quantity") > 0).then(pl.col("quantity"))
    order_week = pl.when(pl.col("quantity") > 0).then(pl.col("t"))

    def over(column: pl.Expr, how: str, k: int) -> pl.Expr:
        rolled: pl.Expr = getattr(column, f"rolling_{how}")(k, min_samples=1).over(SERIES)
        return rolled

    # No series is older than the lookback of the features, so first and latest values need no window.
    assert n_weeks <= LOOKBACK_WEEKS
    return filled.with_columns(
        age_weeks=pl.col("t") - pl.col("born") + 1,
        weeks_since_order=pl.col("t") - over(order_week, "max", ACTIVE_WEEKS),
        order_weeks_52=over((pl.col("quantity") > 0).cast(pl.Float64), "sum", YEAR_WEEKS),
        part_category=pl.col("part_category").forward_fill().over(SERIES),
        price=pl.col("unit_price").forward_fill().over(SERIES),
        price_13=over(pl.col("unit_price"), "mean", 13),
        order_mean=over(ordered, "mean", YEAR_WEEKS),
        square_mean=over(ordered**2, "mean", YEAR_WEEKS),
        **{f"sum_{k}": over(pl.col("quantity"), "sum", k) for k in MEANS},
        **{f"squares_{k}": over(pl.col("quantity") ** 2, "sum", k) for k in DEVIATIONS},
        **{f"raw_{k}": pl.col("quantity").shift(k).over(SERIES) for k in lags},
    )


def _derived(windowed: pl.DataFrame, lags: Sequence[int]) -> pl.DataFrame:
    """Compute the features of active series from their windows."""

    def lived(k: int) -> pl.Expr:
        return pl.min_horizontal(pl.lit(k), pl.col("age_weeks"))

    active = windowed.filter(pl.col("weeks_since_order").is_not_null()).with_columns(
        adi=lived(YEAR_WEEKS) / pl.col("order_weeks_52"),
        cv2=pl.col("square_mean") / pl.col("order_mean") ** 2 - 1,
        price_ratio=(pl.col("price") / pl.col("price_13")).fill_null(1.0),
        **{f"mean_{k}": pl.col(f"sum_{k}") / lived(k) for k in MEANS},
        **{
            f"lag_{k}": pl.when(pl.col("age_weeks") > k).then(pl.col(f"raw_{k}").fill_null(0.0)) for k in lags
        },
    )
    frequent, steady = pl.col("adi") < ADI_LIMIT, pl.col("cv2") < CV2_LIMIT
    return active.with_columns(
        segment=pl.when(pl.col("age_weeks") < NEW_WEEKS)
        .then(pl.lit("new"))
        .when(frequent & steady)
        .then(pl.lit("smooth"))
        .when(frequent)
        .then(pl.lit("erratic"))
        .when(steady)
        .then(pl.lit("intermittent"))
        .otherwise(pl.lit("lumpy")),
        **{
            f"std_{k}": (pl.col(f"squares_{k}") / lived(k) - pl.col(f"mean_{k}") ** 2)
            .clip(lower_bound=0)
            .sqrt()
            for k in DEVIATIONS
        },
    )


def _totals(windowed: pl.DataFrame, by: str, week_numbers: pl.DataFrame) -> pl.DataFrame:
    """Compute units and their mean of 13 weeks by category or region."""
    prefix = by.removeprefix("part_")
    total = windowed.group_by(by, "t").agg(pl.col("quantity").sum().alias(f"{prefix}_quantity"))
    every = total.select(by).unique().join(week_numbers.select("t"), how="cross")
    total = every.join(total, on=[by, "t"], how="left").sort(by, "t")
    mean = pl.col(f"{prefix}_quantity").fill_null(0.0).rolling_sum(13, min_samples=1).over(by)
    weeks_of_history = pl.min_horizontal(pl.lit(13), pl.col("t") + 1)
    return total.with_columns((mean / weeks_of_history).alias(f"{prefix}_mean_13"))
