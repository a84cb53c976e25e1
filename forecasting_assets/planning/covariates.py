"""Known covariates: from the rows of planning files to one value of each covariate, and from when on it is known."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.planning.rows import PlanningFileError, PlanningProblem
from forecasting_assets.tables import COVARIATE_FILE, KNOWN_COVARIATES, SERIES, Column, Table, is_price
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks, weeks_of
from forecasting_assets.wording import count, listed

_CELL = [*SERIES, "target_week", "covariate"]
#: A covariate known of any of these last weeks must also be known of the target week, or that week is forecast without
#: covariates.
TRACKED_WEEKS = 8
#: Covariates or parts that a description names.
_MOST_NAMED = 10


def with_values(table: Table, cells: pd.DataFrame) -> Table:
    """Return an open table with a column of numbers for each further column of `cells`; another table unchanged.

    Prices are above zero.
    """
    if not table.open:
        return table
    names = [str(c) for c in cells if c not in (*table.names, "file", "row")]
    value = Column("", "double", "Value of the covariate", nullable=True)
    price = replace(value, minimum=0, exclusive_minimum=True)
    columns = (replace(price if is_price(name) else value, name=name) for name in names)
    return replace(table, columns=(*table.columns, *columns))


def covariate_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each value of a covariate.

    Parameters
    ----------
    rows
        Rows of planning files that became known in the same week: the columns of the files, `file` and `row`.

    Returns
    -------
    DataFrame
        Columns of KNOWN_COVARIATES. Empty cells have no row. Of several values of the same covariate, the one that was
        published last counts; one that was always known is the oldest.

    Raises
    ------
    PlanningFileError
        If two values of the same covariate were published on the same day.
    """
    values = _values(rows)
    if (twice := values.duplicated([*_CELL, "published"])).any():
        raise PlanningFileError(_ambiguous(row) for row in values[twice].itertuples())
    newest = values.sort_values("published", na_position="first", kind="stable")
    newest = newest.drop_duplicates(_CELL, keep="last")
    return newest.sort_values(_CELL, ignore_index=True)[KNOWN_COVARIATES.names]


def ambiguous_values(rows: pd.DataFrame, file: str) -> list[PlanningProblem]:
    """Return the values in `file` that differ from another one of the same covariate, published on the same day.

    Parameters
    ----------
    rows
        Rows of planning files: the columns of the files, `file` and `row`.
    file
        Name of the file.
    """
    values = _values(rows)
    twice = values.duplicated([*_CELL, "published"], keep=False) & (values["file"] == file)
    return [_ambiguous(row) for row in values[twice].itertuples()]


def _values(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each value in rows of planning files, without those that say the same."""
    names = [c for c in rows if c not in (*COVARIATE_FILE.names, "file", "row")]
    place = ["published", "file", "row"]
    values = rows.rename(columns={"week": "target_week"}).melt(
        [*SERIES, "target_week", *place], names, "covariate", "value"
    )
    return values[values["value"].notna()].drop_duplicates([*_CELL, "published", "value"])


def _ambiguous(row: Any) -> PlanningProblem:
    reason = (
        f"{row.file}, row {row.row}, column {row.covariate}: another row has another value for the same part, region, "
        "week and day of publication; keep one of them"
    )
    return PlanningProblem(
        "two_values", reason, COVARIATE_FILE.name, row.file, row.row, row.covariate, f"{row.value:g}"
    )


def check_covariates(rows: pd.DataFrame, week: date, horizon: int) -> Finding:
    """Check the rows that became known in a week: one value of each covariate, of a week that had not closed.

    Parameters
    ----------
    rows
        Rows of KNOWN_COVARIATES.
    week
        Their week.
    horizon
        Weeks ahead that forecasts are made for.
    """
    contract = check_contract(rows, KNOWN_COVARIATES)
    if not contract.passed:
        return contract
    last = pd.Timestamp(add_weeks(week, horizon))
    outside = int((~rows["target_week"].between(pd.Timestamp(week), last)).sum())
    fault = f"{count(outside, 'row')} about weeks before {week} or after {last:%Y-%m-%d}"
    metadata = {**contract.metadata, "rows_outside": outside}
    return Finding(not outside, fault if outside else contract.description, metadata)


def check_names_known(rows: pd.DataFrame, active: pd.DataFrame) -> Finding:
    """Check that parts and regions of covariates are among the active series (part_id, region)."""
    unknown = []
    for name, noun in (("part_id", "part"), ("region", "region")):
        named = rows[name].dropna().unique()
        unknown += [f"{noun} {value!r}" for value in sorted(set(named) - set(active[name]))]
    description = f"not among the active series: {listed(unknown, _MOST_NAMED)}"
    named_all = "every part and region is that of an active series"
    return Finding(not unknown, description if unknown else named_all, {"unknown_names": len(unknown)})


def check_plan_complete(known: pd.DataFrame, week: date, horizon: int) -> Finding:
    """Check that what is known of the last weeks is known of all coming weeks as well.

    Parameters
    ----------
    known
        Rows of KNOWN_COVARIATES, of all weeks in which something about `week` or later weeks may have become known.
    week
        The week that has closed.
    horizon
        Weeks ahead that forecasts are made for.

    Returns
    -------
    Finding
        Failed if a covariate that is known of any of the last TRACKED_WEEKS weeks, for a part and a region or for all,
        is missing in a later week, for these and for all.
    """
    known = known.fillna(dict.fromkeys(SERIES, ""))
    age = (pd.Timestamp(week) - known["target_week"]).dt.days // 7
    key = [*SERIES, "covariate"]
    current = known.loc[age.between(0, TRACKED_WEEKS - 1), key].drop_duplicates(ignore_index=True)
    coming = known.loc[age.between(-horizon, -1), _CELL]
    # What is known of all parts or regions is known of each.
    scopes = [current.assign(**dict.fromkeys(all_of, "")) for all_of in ([], SERIES[:1], SERIES[1:], SERIES)]
    found = [scope.reset_index(names="row").merge(coming, on=key)[["row", "target_week"]] for scope in scopes]
    weeks = pd.concat(found).drop_duplicates().groupby("row").size().reindex(current.index, fill_value=0)
    short = current[weeks < horizon]
    missing = int((horizon - weeks).sum())
    rows = [_in_words(*row) for row in short[[*SERIES, "covariate"]].to_numpy()]
    fault = (
        f"{count(missing, 'value')} of the next {count(horizon, 'week')} missing, for {count(len(short), 'row')} of "
        f"the plan of {week}: {listed(rows, _MOST_NAMED, '; ')}. These weeks are forecast without covariates"
    )
    metadata = {"covariates": int(current["covariate"].nunique()), "values_missing": missing}
    if current.empty:
        return Finding(True, "no covariates are known", metadata)
    return Finding(not missing, fault if missing else f"known of the next {count(horizon, 'week')}", metadata)


def _in_words(part: str, region: str, covariate: str) -> str:
    return f"{covariate} of {part or 'all parts'} in {region or 'all regions'}"


def first_known(frame: pd.DataFrame, ahead: int, since: date) -> np.ndarray:
    """Return the week at whose end each row of the planning files becomes known to forecasts, (rows,) datetime64.

    Parameters
    ----------
    frame
        week and published of the rows; missing where they cannot be read.
    ahead
        Weeks ahead that forecasts are made for: a row is not used before its week is among them.
    since
        First week of history.
    """
    entered = frame["week"] - pd.Timedelta(weeks=ahead)
    published = pd.Series(weeks_of(frame["published"]).astype("datetime64[ns]"), frame.index)
    latest = entered.where(~(published > entered), published)
    known: np.ndarray = latest.where(~(latest < pd.Timestamp(since)), pd.Timestamp(since)).to_numpy()
    return known
