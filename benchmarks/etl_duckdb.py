"""From landed order files to features with DuckDB; see etl_peers.py."""

import os
from pathlib import Path

import duckdb

from benchmarks.etl_peers import DEVIATIONS, ISO_8601, LANDED, MEANS, NUMBER, PeerTask, modified, order_files
from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.features.demand_patterns import ADI_LIMIT, CV2_LIMIT, NEW_WEEKS
from forecasting_assets.features.window import ACTIVE_WEEKS, LOOKBACK_WEEKS, feature_lags
from forecasting_assets.weeks import YEAR_WEEKS


def with_duckdb(task: PeerTask) -> None:
    """Make all tables with DuckDB."""
    out, files = task.out, order_files(task.orders)
    db = duckdb.connect()
    db.execute(f"SET threads = {os.cpu_count()}; SET memory_limit = '{task.memory}'; SET TimeZone = 'UTC'")
    db.execute(f"SET temp_directory = '{out / 'temp'}'; SET preserve_insertion_order = true")
    db.register("times", modified(files))
    _raw(db, files, out)
    _clean(db, out)
    db.execute(f"""
        COPY (SELECT week, part_id, region, arg_max(part_category, (order_date, part_category)) part_category,
                     sum(quantity) quantity, count(DISTINCT order_id) order_count,
                     sum(quantity * unit_price) / sum(quantity) unit_price
              FROM read_parquet('{out}/clean/*/*.parquet') GROUP BY ALL)
        TO '{out}/demand' (FORMAT parquet, PARTITION_BY week)""")
    db.register("calendar", calendar_features(task.weeks, task.countries))
    _features(db, task)


def _raw(db: duckdb.DuckDBPyConnection, files: dict[str, list[Path]], out: Path) -> None:
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


def _clean(db: duckdb.DuckDBPyConnection, out: Path) -> None:
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
    # One pass gives both tables.
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


def _features(db: duckdb.DuckDBPyConnection, task: PeerTask) -> None:
    out, first, last, lags = task.out, task.weeks[0], task.weeks[-1], feature_lags(task.horizon)

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
                  (week - max(CASE WHEN quantity > 0 THEN week END) {since(ACTIVE_WEEKS)}) / 7 weeks_since_order,
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
