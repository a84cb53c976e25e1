"""From landed order files to features as a user of DuckDB or of Polars would write it, table by table.

The same rules and columns as the platform: every row is clean or rejected with the first rule it breaks, the
newest of equal lines counts, features as in `features/window.py`. Each table is written as Parquet by week and
the next one reads it from there. What the platform does beside (records, checks, metadata, one file a week put
into place whole) is not done here.
"""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.features.window import (
    ADI_LIMIT,
    ALIVE_WEEKS,
    CV2_LIMIT,
    LOOKBACK_WEEKS,
    NEW_WEEKS,
    feature_lags,
)
from forecasting_assets.weeks import YEAR_WEEKS

LANDED = [
    "order_id",
    "order_date",
    "part_id",
    "part_category",
    "region",
    "quantity",
    "unit_price",
    "line_id",
    "customer_note",
    "sales_channel",
]
ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
FILES_AT_ONCE = 60
MEANS, DEVIATIONS = (4, 13, 26, 52), (13, 52)


def order_files(folder: Path) -> dict[str, list[Path]]:
    """Format -> the files in it."""
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            files.setdefault(file.name.rpartition(".")[2], []).append(file)
    return files


def modified(files: dict[str, list[Path]]) -> pd.DataFrame:
    """file, modified: the time of change of every file."""
    paths = [path for of_format in files.values() for path in of_format]
    return pd.DataFrame({"file": [str(p) for p in paths], "modified": [p.stat().st_mtime_ns for p in paths]})


def with_duckdb(
    orders: Path, out: Path, weeks: list[date], horizon: int, countries: tuple[str, ...], memory: str
) -> None:
    import duckdb

    files = order_files(orders)
    db = duckdb.connect()
    db.execute(f"SET threads = {os.cpu_count()}; SET memory_limit = '{memory}'; SET TimeZone = 'UTC'")
    db.execute(f"SET temp_directory = '{out / 'temp'}'; SET preserve_insertion_order = true")
    db.register("times", modified(files))
    _duckdb_raw(db, files, out)
    _duckdb_clean(db, out)
    db.execute(f"""
        COPY (SELECT week, part_id, region, arg_max(part_category, (order_date, part_category)) part_category,
                     sum(quantity) quantity, count(DISTINCT order_id) order_count,
                     sum(quantity * unit_price) / sum(quantity) unit_price
              FROM read_parquet('{out}/clean/*/*.parquet') GROUP BY ALL)
        TO '{out}/demand' (FORMAT parquet, PARTITION_BY week)""")
    db.register("calendar", calendar_features(weeks, countries))
    _duckdb_features(db, out, weeks, horizon)


def _duckdb_raw(db, files: dict[str, list[Path]], out: Path) -> None:
    readers = {
        "csv": "read_csv({}, all_varchar = true, union_by_name = true, filename = true, quote = '\"')",
        "gz": "read_csv({}, all_varchar = true, union_by_name = true, filename = true, quote = '\"')",
        "jsonl": "read_json({}, format = 'newline_delimited', filename = true, columns = {{"
        + ", ".join(f"{name}: 'VARCHAR'" for name in LANDED)
        + "}})",
        "parquet": "read_parquet({}, filename = true)",
    }
    parts = []
    for kind, paths in files.items():
        texts = {name: f"{name}::VARCHAR" for name in LANDED}
        if kind == "parquet":
            texts["order_date"] = "strftime(order_date, '%Y-%m-%dT%H:%M:%SZ')"
        if kind in ("csv", "gz"):
            texts["sales_channel"] = "NULL"
        columns = [f"{text} {name}" for name, text in texts.items()]
        source = readers[kind].format([str(path) for path in paths])
        parts.append(f"SELECT {', '.join(columns)}, filename source_file FROM {source}")
    db.execute(f"""
        COPY (WITH landed AS ({" UNION ALL ".join(parts)}),
              dated AS (SELECT *, row_number() OVER () source_row,
                        CASE WHEN regexp_matches(trim(order_date), '{ISO_8601}')
                             THEN date_trunc('week', TRY_CAST(trim(order_date) AS TIMESTAMPTZ))::DATE END known
                        FROM landed),
              latest AS (SELECT source_file, max(known) latest FROM dated GROUP BY source_file)
              SELECT dated.* EXCLUDE known, times.modified source_modified, coalesce(known, latest) AS week
              FROM dated JOIN latest USING (source_file) JOIN times ON times.file = source_file)
        TO '{out}/raw' (FORMAT parquet, PARTITION_BY week)""")


def _duckdb_clean(db, out: Path) -> None:
    def text(name: str) -> str:
        return f"nullif(trim({name}), '')"

    def number(name: str) -> str:
        valid = f"regexp_matches({text(name)}, '{NUMBER}')"
        return f"CASE WHEN {valid} THEN TRY_CAST({text(name)} AS DOUBLE) END"

    landed = ", ".join(LANDED)
    db.execute(f"""
        CREATE TEMP VIEW classified AS
        WITH typed AS (
            SELECT *, CASE WHEN regexp_matches({text("order_date")}, '{ISO_8601}')
                           THEN TRY_CAST({text("order_date")} AS TIMESTAMPTZ) END c_date,
                   {number("quantity")} c_quantity, {number("unit_price")} c_price,
                   {text("order_id")} c_order, {text("line_id")} c_line,
                   c_order IS NOT NULL AND c_line IS NOT NULL identified,
            FROM read_parquet('{out}/raw/*/*.parquet')),
        aged AS (
            SELECT *, row_number() OVER (
                PARTITION BY week, CASE WHEN identified THEN (c_order, c_line) END,
                             CASE WHEN NOT identified THEN ({landed}) END
                ORDER BY source_modified DESC, source_file DESC, source_row DESC) age FROM typed)
        SELECT *, CASE WHEN c_date IS NULL OR date_trunc('week', c_date)::DATE <> week THEN 'bad_date'
                       WHEN c_quantity IS NULL THEN 'bad_quantity'
                       WHEN c_quantity <= 0 THEN 'non_positive_quantity'
                       WHEN c_price IS NULL THEN 'bad_price'
                       WHEN c_price <= 0 THEN 'non_positive_price'
                       WHEN {text("part_id")} IS NULL THEN 'missing_part'
                       WHEN {text("region")} IS NULL THEN 'missing_region'
                       WHEN age > 1 THEN 'duplicate' END reason
        FROM aged""")
    # Both tables follow from one pass.
    db.execute("CREATE TEMP TABLE lines AS FROM classified")
    db.execute(f"""
        COPY (SELECT {landed}, source_file, source_row, source_modified, reason, week
              FROM lines WHERE reason IS NOT NULL)
        TO '{out}/rejected' (FORMAT parquet, PARTITION_BY week)""")
    db.execute(f"""
        COPY (SELECT c_order order_id, c_date order_date, {text("part_id")} part_id,
                     coalesce({text("part_category")}, 'default') part_category, {text("region")} region,
                     c_quantity quantity, c_price unit_price, c_line line_id, source_file, source_row, week
              FROM lines WHERE reason IS NULL)
        TO '{out}/clean' (FORMAT parquet, PARTITION_BY week)""")
    db.execute("DROP TABLE lines")


def _duckdb_features(db, out: Path, weeks: list[date], horizon: int) -> None:
    first, last, lags = weeks[0], weeks[-1], feature_lags(horizon)

    def since(k: int) -> str:
        return f"OVER (PARTITION BY part_id, region ORDER BY week ROWS BETWEEN {k - 1} PRECEDING AND CURRENT ROW)"

    sums = ", ".join(f"sum(quantity) {since(k)} sum_{k}" for k in MEANS)
    squares = ", ".join(f"sum(quantity * quantity) {since(k)} squares_{k}" for k in DEVIATIONS)
    lagged = ", ".join(
        f"lag(quantity, {k}) OVER (PARTITION BY part_id, region ORDER BY week) raw_{k}" for k in lags
    )

    def lived(k: int) -> str:
        return f"least({k}, age_weeks)"

    means = ", ".join(f"sum_{k} / {lived(k)} mean_{k}" for k in MEANS)
    deviations = ", ".join(
        f"sqrt(greatest(squares_{k} / {lived(k)} - (sum_{k} / {lived(k)}) ** 2, 0)) std_{k}"
        for k in DEVIATIONS
    )
    lag_columns = ", ".join(f"CASE WHEN age_weeks > {k} THEN coalesce(raw_{k}, 0) END lag_{k}" for k in lags)

    def totals(by: str) -> str:
        prefix = by.removeprefix("part_")
        return f"""(SELECT {by}, week, q {prefix}_quantity,
            sum(q) OVER (PARTITION BY {by} ORDER BY week RANGE BETWEEN INTERVAL 84 DAYS PRECEDING AND CURRENT ROW)
            / least(13, (week - DATE '{first}') / 7 + 1) {prefix}_mean_13
            FROM (SELECT {by}, week, sum(quantity) q FROM windowed GROUP BY {by}, week))"""

    db.execute(f"""
        COPY (WITH demand AS (FROM read_parquet('{out}/demand/*/*.parquet')),
              born AS (SELECT part_id, region, min(week) born FROM demand GROUP BY ALL),
              grid AS (SELECT part_id, region,
                              unnest(generate_series(born, DATE '{last}', INTERVAL 7 DAYS))::DATE AS week FROM born),
              filled AS (SELECT part_id, region, week, coalesce(quantity, 0) quantity, unit_price, part_category
                         FROM grid LEFT JOIN demand USING (part_id, region, week)),
              windowed AS (SELECT part_id, region, week, quantity,
                  (week - min(CASE WHEN quantity > 0 THEN week END) {since(LOOKBACK_WEEKS)}) / 7 + 1 age_weeks,
                  (week - max(CASE WHEN quantity > 0 THEN week END) {since(ALIVE_WEEKS)}) / 7 weeks_since_order,
                  count(CASE WHEN quantity > 0 THEN 1 END) {since(YEAR_WEEKS)} order_weeks_52,
                  last_value(part_category IGNORE NULLS) {since(LOOKBACK_WEEKS)} part_category,
                  last_value(unit_price IGNORE NULLS) {since(LOOKBACK_WEEKS)} price,
                  avg(unit_price) {since(13)} price_13,
                  avg(CASE WHEN quantity > 0 THEN quantity END) {since(YEAR_WEEKS)} order_mean,
                  var_pop(CASE WHEN quantity > 0 THEN quantity END) {since(YEAR_WEEKS)} order_var,
                  {sums}, {squares}, {lagged} FROM filled),
              alive AS (SELECT * EXCLUDE (part_category), part_category,
                  {lived(YEAR_WEEKS)} / order_weeks_52 adi, order_var / order_mean ** 2 cv2 FROM windowed
                  WHERE weeks_since_order IS NOT NULL)
              SELECT part_id, part_category, region, week, quantity, age_weeks, weeks_since_order, order_weeks_52,
                  {lag_columns}, {means}, {deviations}, adi, cv2,
                  CASE WHEN age_weeks < {NEW_WEEKS} THEN 'new'
                       WHEN adi < {ADI_LIMIT} AND cv2 < {CV2_LIMIT} THEN 'smooth'
                       WHEN adi < {ADI_LIMIT} THEN 'erratic' WHEN cv2 < {CV2_LIMIT} THEN 'intermittent'
                       ELSE 'lumpy' END segment,
                  price, coalesce(price / price_13, 1) price_ratio, calendar.* EXCLUDE (week),
                  category_quantity, category_mean_13, region_quantity, region_mean_13
              FROM alive JOIN calendar USING (week) JOIN {totals("part_category")} USING (part_category, week)
                   JOIN {totals("region")} USING (region, week))
        TO '{out}/features' (FORMAT parquet, PARTITION_BY week)""")


def with_polars(
    orders: Path, out: Path, weeks: list[date], horizon: int, countries: tuple[str, ...], memory: str
) -> None:
    """A batch of files, then a week at a time, so that memory stays flat; `memory` is not for Polars to bound."""
    import polars as pl

    _polars_raw(pl, order_files(orders), out)
    for week in weeks:
        _polars_week(pl, out, week)
    _polars_features(pl, out, weeks, horizon, countries)


def _polars_raw(pl, files: dict[str, list[Path]], out: Path) -> None:
    texts = dict.fromkeys(LANDED, pl.String)
    readers = {
        "csv": lambda path: pl.read_csv(path, infer_schema=False),
        "gz": lambda path: pl.read_csv(path, infer_schema=False),
        "jsonl": lambda path: pl.read_ndjson(path, schema=texts),
        "parquet": pl.read_parquet,
    }
    paths = [(path, readers[kind]) for kind, of_kind in files.items() for path in of_kind]
    for begin in range(0, len(paths), FILES_AT_ONCE):
        parts = []
        for path, read in paths[begin : begin + FILES_AT_ONCE]:
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
                    known=_polars_date(pl, pl.col("order_date")).dt.truncate("1w").dt.date(),
                ).with_columns(week=pl.col("known").fill_null(pl.col("known").max()))
            )
        by_week = pl.concat(parts, how="diagonal").drop("known").partition_by("week", as_dict=True)
        for (week,), rows in by_week.items():
            folder = out / "raw" / f"week={week}"
            folder.mkdir(parents=True, exist_ok=True)
            rows.write_parquet(folder / f"{begin}.parquet")


def _polars_date(pl, text):
    """Dates and times with a `T` or a space, in UTC."""
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


def _polars_week(pl, out: Path, week: date) -> None:
    def text(name: str):
        plain = pl.col(name).str.strip_chars()
        return pl.when(plain != "").then(plain)

    def number(name: str):
        valid = text(name).str.contains(NUMBER)
        return pl.when(valid).then(text(name).cast(pl.Float64, strict=False))

    raw = pl.read_parquet(out / "raw" / f"week={week}" / "*.parquet")
    typed = raw.with_columns(
        c_date=_polars_date(pl, pl.col("order_date")),
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
    judged = aged.with_columns(reason=reason)
    source = ["source_file", "source_row"]
    rejected = judged.filter(pl.col("reason").is_not_null())
    _polars_write(rejected.select(*LANDED, *source, "source_modified", "reason"), out / "rejected", week)
    clean = judged.filter(pl.col("reason").is_null()).select(
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
    _polars_write(clean, out / "clean", week)
    clean = pl.read_parquet(out / "clean" / f"week={week}" / "data.parquet")
    demand = clean.group_by("part_id", "region").agg(
        pl.col("part_category").sort_by("order_date", "part_category").last(),
        pl.col("quantity").sum(),
        pl.col("order_id").n_unique().alias("order_count"),
        unit_price=(pl.col("quantity") * pl.col("unit_price")).sum() / pl.col("quantity").sum(),
    )
    _polars_write(demand, out / "demand", week)


def _polars_write(frame, folder: Path, week: date) -> None:
    (folder / f"week={week}").mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"week={week}" / "data.parquet")


def _polars_features(pl, out: Path, weeks: list[date], horizon: int, countries: tuple[str, ...]) -> None:
    series, lags = ["part_id", "region"], feature_lags(horizon)
    demand = pl.read_parquet(
        out / "demand" / "*" / "*.parquet", hive_partitioning=True, try_parse_hive_dates=True
    )
    number_of = pl.DataFrame({"week": weeks, "t": range(len(weeks))})
    demand = demand.join(number_of, on="week")
    born = demand.group_by(series).agg(born=pl.col("t").min())
    grid = born.with_columns(t=pl.int_ranges("born", len(weeks))).explode("t").join(number_of, on="t")
    filled = grid.join(demand.drop("week"), on=[*series, "t"], how="left").sort(*series, "t")
    filled = filled.with_columns(pl.col("quantity").fill_null(0.0))
    ordered = pl.when(pl.col("quantity") > 0).then(pl.col("quantity"))
    order_week = pl.when(pl.col("quantity") > 0).then(pl.col("t"))

    def over(column, how: str, k: int):
        return getattr(column, f"rolling_{how}")(k, min_samples=1).over(series)

    # No series is older than the features look back, so that their first and latest of it are those of all.
    assert len(weeks) <= LOOKBACK_WEEKS
    windowed = filled.with_columns(
        age_weeks=pl.col("t") - pl.col("born") + 1,
        weeks_since_order=pl.col("t") - over(order_week, "max", ALIVE_WEEKS),
        order_weeks_52=over((pl.col("quantity") > 0).cast(pl.Float64), "sum", YEAR_WEEKS),
        part_category=pl.col("part_category").forward_fill().over(series),
        price=pl.col("unit_price").forward_fill().over(series),
        price_13=over(pl.col("unit_price"), "mean", 13),
        order_mean=over(ordered, "mean", YEAR_WEEKS),
        square_mean=over(ordered**2, "mean", YEAR_WEEKS),
        **{f"sum_{k}": over(pl.col("quantity"), "sum", k) for k in MEANS},
        **{f"squares_{k}": over(pl.col("quantity") ** 2, "sum", k) for k in DEVIATIONS},
        **{f"raw_{k}": pl.col("quantity").shift(k).over(series) for k in lags},
    )

    def lived(k: int):
        return pl.min_horizontal(pl.lit(k), pl.col("age_weeks"))

    def totals(by: str):
        prefix = by.removeprefix("part_")
        total = windowed.group_by(by, "t").agg(pl.col("quantity").sum().alias(f"{prefix}_quantity"))
        every = total.select(by).unique().join(number_of.select("t"), how="cross")
        total = every.join(total, on=[by, "t"], how="left").sort(by, "t")
        mean = pl.col(f"{prefix}_quantity").fill_null(0.0).rolling_sum(13, min_samples=1).over(by)
        weeks_of_history = pl.min_horizontal(pl.lit(13), pl.col("t") + 1)
        return total.with_columns((mean / weeks_of_history).alias(f"{prefix}_mean_13"))

    alive = windowed.filter(pl.col("weeks_since_order").is_not_null()).with_columns(
        adi=lived(YEAR_WEEKS) / pl.col("order_weeks_52"),
        cv2=pl.col("square_mean") / pl.col("order_mean") ** 2 - 1,
        price_ratio=(pl.col("price") / pl.col("price_13")).fill_null(1.0),
        **{f"mean_{k}": pl.col(f"sum_{k}") / lived(k) for k in MEANS},
        **{
            f"lag_{k}": pl.when(pl.col("age_weeks") > k).then(pl.col(f"raw_{k}").fill_null(0.0)) for k in lags
        },
    )
    frequent, steady = pl.col("adi") < ADI_LIMIT, pl.col("cv2") < CV2_LIMIT
    alive = alive.with_columns(
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
    calendar = pl.from_pandas(calendar_features(weeks, countries)).with_columns(pl.col("week").cast(pl.Date))
    features = alive.join(calendar, on="week")
    for by in ("part_category", "region"):
        features = features.join(totals(by), on=[by, "t"])
    drop = ["t", "born", "order_count", "unit_price", "price_13", "order_mean", "square_mean"]
    drop += [c for c in features.columns if c.startswith(("raw_", "sum_", "squares_"))]
    for (week,), rows in features.drop(drop).partition_by("week", as_dict=True).items():
        _polars_write(rows.drop("week"), out / "features", week)


PEERS: dict[str, Callable[..., None]] = {"DuckDB": with_duckdb, "Polars": with_polars}
