"""What is asked for when order files arrive: which weeks, through which assets, and again if they fail.

Whether a week is made from the files that touch it is read from the lake, so nothing is lost if the sensor is
off for a while, and nothing is asked for twice if its cursor is reset.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from forecasting_assets.lake.freshness import Lineage
from forecasting_assets.lake.landing import LandedFile, touching
from forecasting_assets.lake.records import FILES, Record, fingerprint
from forecasting_assets.weeks import add_weeks, format_weeks, newest_closed_week, parse_week, weeks_between

#: The assets that are made of order files alone.
ORDER_ASSETS = ("raw_orders", "clean_orders", "weekly_demand", "feature_table")
#: A week is asked for so often if it fails, after 2, 8 and 32 minutes.
ATTEMPTS = 4
_RETRY_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class Asked:
    """A week that has been asked for and was not seen to be made.

    assets: those that were asked for
    version: fingerprint of the files it is made from
    due: ISO time from which it may be asked for again
    """

    assets: tuple[str, ...]
    version: str
    attempts: int
    due: str


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers from tick to tick.

    seen: the landing zone at a tick that left nothing to do
    settling: size and time of change of files that are asked for if the next tick finds them unchanged, and with
        them all others of their weeks
    """

    seen: str = ""
    settling: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """The cursor as written; an empty one if there is none, or it is of an older version."""
        try:
            told = json.loads(text or "{}")
            asked = {
                week: Asked(**{**item, "assets": tuple(item["assets"])})
                for week, item in told.pop("asked", {}).items()
            }
            return cls(**told, asked=asked)
        except (TypeError, ValueError, KeyError):
            return cls()

    def write(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Request:
    """A range of weeks of some assets to make in one run."""

    first: date
    last: date
    assets: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What to ask for now, in this order; what to say about it, in lines; the cursor from here; and the weeks whose
    files have changed."""

    requests: Sequence[Request]
    said: Sequence[str]
    cursor: Cursor
    arrived: Sequence[date] = ()


def ask(lineage: Lineage, cursor: Cursor, now: datetime, under_way: Iterable[date]) -> Answer:
    """What is to be made of the files in the landing zone; `under_way` are weeks that runs are at work on."""
    files, newest = lineage.files, newest_closed_week(now)
    seen = fingerprint([str(newest), *((f.name, f.size, str(f.modified), str(f.error)) for f in files)])
    unfinished = [week for week, asked in cursor.asked.items() if asked.attempts < ATTEMPTS]
    if seen == cursor.seen and not unfinished:
        return Answer([], _given_up(cursor), cursor)
    busy = set(under_way)
    whole = {f.name for f in files if cursor.settling.get(f.name) == _state(f)}
    arrived, settling, waiting = set[date](), dict[str, str](), False
    wanted: dict[date, tuple[str, ...]] = {}
    asked: dict[str, Asked] = {}
    for week in _candidates(lineage, newest, map(parse_week, cursor.asked)):
        before, version = cursor.asked.get(str(week)), _version(lineage, week)
        if before and before.version == version:
            if _made(lineage, week, before.assets):
                continue
            asked[str(week)] = before
            if week in busy:
                asked[str(week)] = replace(before, due=_due(now, before.attempts))
            elif before.attempts < ATTEMPTS and datetime.fromisoformat(before.due) <= now:
                wanted[week] = before.assets
        elif _is_made_from_its_files(lineage, week) or lineage.lost_files("raw_orders", week):
            continue  # a file that can no longer be read may still be mended
        elif week in busy:
            waiting = True
        elif not _files(lineage, week) and week not in lineage.records("raw_orders"):
            continue
        elif (states := {f.name: _state(f) for f in _changed_files(lineage, week)}).keys() <= whole:
            arrived.add(week)
        else:
            settling |= states
    if arrived:
        arrived |= {w for w in _without_orders(lineage, max(arrived)) if str(w) not in cursor.asked}
    changed = lineage.downstream(arrived) if arrived else {}
    needed = weeks_to_make(lineage, arrived, changed) if arrived else {}
    for week, assets in (wanted | needed).items():
        again = cursor.asked[str(week)].attempts if week in wanted and week not in needed else 0
        asked[str(week)] = Asked(assets, _version(lineage, week), again + 1, _due(now, again + 1))
    requests = _requests(wanted | needed)
    after = Cursor("" if settling or waiting else seen, settling, asked)
    said = [*_describe(lineage, requests, arrived, changed), *_given_up(after)]
    if settling:
        said.append(f"Waiting until {len(settling.keys() - whole)} files are whole.")
    return Answer(requests, said, after, sorted(arrived))


def weeks_to_make(
    lineage: Lineage, arrived: Iterable[date], changed: Mapping[str, Iterable[date]]
) -> dict[date, tuple[str, ...]]:
    """Which assets of which weeks are made once orders of the weeks `arrived` are there.

    Weeks after the newest plan are taken through all assets, and before there is any plan the newest week is. Of
    earlier weeks that change, those are made that [automation] late_data names: all of them, or what the newest plan
    reads, so that it is made again from nothing that is out of date.

    Parameters
    ----------
    changed
        Asset -> the weeks of it that change with the orders.

    Returns
    -------
    dict
        Week -> its assets, in the order of the graph.
    """
    arrived = set(arrived)
    plans = [week for week, record in lineage.records("allocation_plan").items() if record.data]
    every_asset = list(lineage.weekly.declared)
    newest = (
        max(plans) if plans else max({*arrived, *(w for w in lineage.touching if w <= newest_closed_week())})
    )
    new = {week for week in arrived if week > newest} if plans else {newest}
    needed = {asset: set(new) for asset in every_asset}
    for asset in ORDER_ASSETS:
        needed[asset] |= arrived
    if plans and lineage.weekly.settings.automation.late_data == "everything":
        for asset in every_asset:
            needed[asset] |= set(changed[asset])
    elif plans:
        for asset, read in lineage.upstream({"allocation_plan": new or {newest}}).items():
            needed[asset] |= read & set(changed[asset])
    weeks = sorted(set().union(*needed.values()))
    return {week: tuple(asset for asset in every_asset if week in needed[asset]) for week in weeks}


def _requests(weeks: Mapping[date, tuple[str, ...]]) -> list[Request]:
    """Weeks in a row with the same assets as one request, in the order of time: no week reads a later one."""
    requests: list[Request] = []
    for week, assets in sorted(weeks.items()):
        if requests and requests[-1].assets == assets and requests[-1].last == add_weeks(week, -1):
            requests[-1] = replace(requests[-1], last=week)
        else:
            requests.append(Request(week, week, assets))
    return requests


def _candidates(lineage: Lineage, newest: date, asked: Iterable[date]) -> list[date]:
    """Weeks that may have to be made: those with files, and those made from files that are gone."""
    first = lineage.weekly.settings.calendar.first_week
    touched = {week for week in lineage.touching if first <= week <= newest}
    return sorted({*touched, *lineage.records("raw_orders"), *asked})


def _without_orders(lineage: Lineage, last: date) -> set[date]:
    """Weeks up to `last` that no file touches and that are not made: the weeks after need them."""
    every_week = weeks_between(lineage.weekly.settings.calendar.first_week, last)
    return {*every_week} - lineage.touching.keys() - lineage.records("raw_orders").keys()


def _files(lineage: Lineage, week: date) -> Mapping[str, str]:
    return lineage.inputs("raw_orders", week)[FILES]


def _version(lineage: Lineage, week: date) -> str:
    return fingerprint(_files(lineage, week))


def _is_made_from_its_files(lineage: Lineage, week: date) -> bool:
    raw, demand = (lineage.records(asset).get(week, Record()) for asset in ("raw_orders", "weekly_demand"))
    return bool(raw.data and demand.data) and raw.inputs.get(FILES) == _files(lineage, week)


def _changed_files(lineage: Lineage, week: date) -> list[LandedFile]:
    """The files that touch the week, or did when it was made, and have changed since."""
    before = lineage.records("raw_orders").get(week, Record()).inputs.get(FILES, {})
    names = {name for name, _ in before.items() ^ _files(lineage, week).items()}
    return [file for file in lineage.files if file.name in names]


def _made(lineage: Lineage, week: date, assets: Iterable[str]) -> bool:
    """Whether a week is made, whatever it is that other weeks are still waiting for."""
    states = [lineage.state(asset, week) for asset in assets]
    return all(state.state == "fresh" or state.inherited for state in states)


def _state(file: LandedFile) -> str:
    return f"{file.size}-{file.modified.timestamp()}"


def _due(now: datetime, attempts: int) -> str:
    return (now.astimezone(UTC) + _RETRY_AFTER * 4 ** (attempts - 1)).isoformat()


def _describe(
    lineage: Lineage,
    requests: Sequence[Request],
    arrived: set[date],
    changed: Mapping[str, Iterable[date]],
) -> list[str]:
    lines = []
    for request in requests:
        weeks = weeks_between(request.first, request.last)
        names = [file.name for file in touching(lineage.files, [w for w in weeks if w in arrived])]
        all_assets = set(request.assets) == set(lineage.weekly.declared)
        through = "all assets" if all_assets else ", ".join(request.assets)
        touched = f", touched by {len(names)} files: {', '.join(names[:10])}" if names else ""
        lines.append(f"Asking for {format_weeks(weeks)} through {through}{touched}")
    asked = {(asset, week) for r in requests for asset in r.assets for week in weeks_between(r.first, r.last)}
    for asset, stale in changed.items():
        if left := [week for week in stale if (asset, week) not in asked]:
            lines.append(
                f"Left out of date by [automation] late_data: {asset} {format_weeks(left)} "
                "(forecasting-assets stale says why, backfill --resume makes them)"
            )
    return lines


def _given_up(cursor: Cursor) -> list[str]:
    weeks = [parse_week(week) for week, asked in cursor.asked.items() if asked.attempts >= ATTEMPTS]
    if not weeks:
        return []
    return [
        f"Asked for {ATTEMPTS} times and not made: {format_weeks(weeks)}. See their runs; they are asked for "
        "again once their files change."
    ]
