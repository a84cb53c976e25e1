"""Decide what to make when files arrive: which weeks of which assets, and which failed weeks to retry.

Order files request the weeks that they touch. Planning files request the newest plan again
if rows that it uses change.

Whether a week is made from the files that touch it is read from the lake. So nothing is lost while the sensor is off,
and nothing is requested twice when its cursor is reset.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from forecasting_assets.graph import ORDER_FILES, PLANNING_FILES
from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.landed_files import LandedFile, touching
from forecasting_assets.lake.records import fingerprint
from forecasting_assets.weeks import add_weeks, format_weeks, newest_closed_week, parse_week, weeks_between
from forecasting_assets.wording import count
from forecasting_assets.workflows.replanning import (
    changed_by_planning,
    planning_problems,
    planning_versions,
    same_week_downstream,
)

#: Groups of the assets that are refreshed in every week with new orders, whatever else is made.
ORDER_GROUPS = ("orders", "features")
#: A failed week is requested again after 2, 8 and 32 minutes.
ATTEMPTS = 4
_RETRY_AFTER = timedelta(minutes=2)
#: Files that a message names.
_FILES_NAMED = 10


@dataclass(frozen=True)
class RequestedWeek:
    """A week that has been requested and has not been seen to be made since.

    Attributes
    ----------
    assets
        The assets that were requested.
    version
        Fingerprint of the files it is made from.
    attempts
        How many times it was requested.
    due
        ISO time from which it may be requested again.
    """

    assets: tuple[str, ...]
    version: str
    attempts: int
    due: str


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers from tick to tick.

    Attributes
    ----------
    seen
        Fingerprint of the landing zone at the last tick that left nothing to do.
    settling
        Name -> size and time of change of files that may still grow. If the next tick finds them unchanged, their
        weeks are requested.
    requested
        Weeks that were requested.
    """

    seen: str = ""
    settling: Mapping[str, str] = field(default_factory=dict)
    requested: Mapping[str, RequestedWeek] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str | None) -> "Cursor":
        """Read a cursor; an empty one if there is none, or it was written by another version."""
        try:
            values = json.loads(text or "{}")
            requested = {
                week: RequestedWeek(**{**item, "assets": tuple(item["assets"])})
                for week, item in values.pop("requested", {}).items()
            }
            return cls(**values, requested=requested)
        except (TypeError, ValueError, KeyError):
            return cls()

    def to_json(self) -> str:
        """Return the cursor as text."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Request:
    """A range of weeks of some assets to make in one run."""

    first: date
    last: date
    assets: tuple[str, ...]


@dataclass(frozen=True)
class TickResult:
    """What a tick of the sensor decides.

    Attributes
    ----------
    requests
        What to make now, in this order.
    messages
        Lines that say why.
    cursor
        The cursor for the next tick.
    arrived
        The weeks whose files have changed.
    """

    requests: Sequence[Request]
    messages: Sequence[str]
    cursor: Cursor
    arrived: Sequence[date] = ()


def decide(freshness: Freshness, cursor: Cursor, now: datetime, in_progress: Iterable[date]) -> TickResult:
    """Decide what to make of the files in the landing zone and in the planning folder.

    Parameters
    ----------
    freshness
        The home as it is now.
    cursor
        The cursor of the last tick.
    now
        Time of this tick.
    in_progress
        Weeks that runs are making at the moment.

    Returns
    -------
    TickResult
        What to request, why, and the cursor for the next tick.
    """
    files, newest = freshness.files, newest_closed_week(now)
    seen = fingerprint(
        [
            str(newest),
            *((f.name, f.size, str(f.modified), str(f.error)) for f in files),
            *freshness.planning.states().items(),
        ]
    )
    retries_left = any(week.attempts < ATTEMPTS for week in cursor.requested.values())
    if seen == cursor.seen and not retries_left:
        return TickResult([], _given_up(cursor), cursor)
    tick = _Tick(freshness, cursor, now, frozenset(in_progress))
    for week in _candidates(freshness, newest, map(parse_week, cursor.requested)):
        tick.look_at(week)
    tick.look_at_planning()
    return tick.result(seen)


class _Tick:
    """One tick: what is known of each candidate week, gathered by `look_at`."""

    def __init__(
        self, freshness: Freshness, cursor: Cursor, now: datetime, in_progress: frozenset[date]
    ) -> None:
        self.freshness, self.cursor, self.now, self.in_progress = freshness, cursor, now, in_progress
        self.whole = {f.name for f in freshness.files if cursor.settling.get(f.name) == _state(f)}
        self.arrived = set[date]()
        self.settling: dict[str, str] = {}
        self.waiting = False
        self.retries: dict[date, tuple[str, ...]] = {}
        self.replanned: dict[date, tuple[str, ...]] = {}
        self.messages: list[str] = []
        self.requested: dict[str, RequestedWeek] = {}

    def look_at(self, week: date) -> None:
        """Sort a week: made, in progress, to be retried, arrived, or touched by files that may still grow."""
        freshness, before = self.freshness, self.cursor.requested.get(str(week))
        if before and before.version == _version(freshness, week):
            self._look_at_requested(week, before)
        elif _is_made_from_its_files(freshness, week) or freshness.lost_files("raw_orders", week):
            return  # a file that can no longer be read may still be corrected
        elif week in self.in_progress:
            self.waiting = True
        elif not _files(freshness, week) and week not in freshness.records("raw_orders"):
            return
        else:
            states = {file.name: _state(file) for file in _changed_files(freshness, week)}
            if states.keys() <= self.whole:
                self.arrived.add(week)
            else:
                self.settling |= states

    def _look_at_requested(self, week: date, before: RequestedWeek) -> None:
        if _is_made(self.freshness, week, before.assets):
            return
        self.requested[str(week)] = before
        if week in self.in_progress:
            self.requested[str(week)] = replace(before, due=_due(self.now, before.attempts))
        elif before.attempts < ATTEMPTS and datetime.fromisoformat(before.due) <= self.now:
            self.retries[week] = before.assets

    def look_at_planning(self) -> None:
        """Have the newest plan made again if planning files that it is made from have changed and are complete."""
        freshness = self.freshness
        week = max(
            (w for w, record in freshness.records("allocation_plan").items() if record.data), default=None
        )
        if week is None:
            return
        changed = changed_by_planning(freshness, week)
        before = self.cursor.requested.get(str(week))
        if not changed or (before and before.version == _version(freshness, week)):
            return
        states = {f"{PLANNING_FILES}/{n}": state for n, state in freshness.planning.states().items()}
        if week in self.in_progress:
            self.waiting = True
        elif not states.items() <= self.cursor.settling.items():
            self.settling |= states
        elif lines := planning_problems(freshness, week, changed):
            self.messages += lines
        else:
            self.replanned[week] = same_week_downstream(freshness, week, changed)
            self.messages.append(f"Planning files have changed that the plan of {week} is made from.")

    def result(self, seen: str) -> TickResult:
        """Decide once all candidates have been looked at."""
        freshness, arrived = self.freshness, self.arrived
        if arrived:
            empty = _weeks_without_orders(freshness, max(arrived))
            arrived |= {week for week in empty if str(week) not in self.cursor.requested}
        changed = freshness.downstream(arrived) if arrived else {}
        needed = weeks_to_make(freshness, arrived, changed) if arrived else {}
        for week, assets in self.replanned.items():
            both = {*assets, *needed.get(week, ())}
            needed[week] = tuple(asset for asset in freshness.pipeline if asset in both)
        wanted = self.retries | needed
        for week, assets in wanted.items():
            is_retry = week in self.retries and week not in needed
            attempts = 1 + (self.cursor.requested[str(week)].attempts if is_retry else 0)
            self.requested[str(week)] = RequestedWeek(
                assets, _version(freshness, week), attempts, _due(self.now, attempts)
            )
        requests = _requests(wanted)
        after = Cursor("" if self.settling or self.waiting else seen, self.settling, self.requested)
        messages = [*self.messages, *_describe(freshness, requests, arrived, changed), *_given_up(after)]
        if self.settling:
            growing = len(self.settling.keys() - self.whole)
            messages.append(f"Waiting for {count(growing, 'file')} to stop growing.")
        return TickResult(requests, messages, after, sorted(arrived))


def weeks_to_make(
    freshness: Freshness, arrived: Iterable[date], changed: Mapping[str, Iterable[date]]
) -> dict[date, tuple[str, ...]]:
    """Return which assets of which weeks are to be made once orders have arrived.

    Weeks after the newest plan are made through all assets, and before there is any plan the newest week is. Of
    earlier weeks that change, the setting [automation] late_data says which are made: all of them, or those that the
    newest plan reads, so that it is made again from nothing that is out of date.

    Parameters
    ----------
    freshness
        The home as it is now.
    arrived
        Weeks with new orders.
    changed
        Asset -> the weeks of it that change with the orders.

    Returns
    -------
    dict
        Week -> its assets, in the order of the graph.
    """
    arrived = set(arrived)
    plans = [week for week, record in freshness.records("allocation_plan").items() if record.data]
    every_asset = list(freshness.pipeline)
    closed = [week for week in freshness.files_by_week if week <= newest_closed_week()]
    newest = max(plans) if plans else max({*arrived, *closed})
    new = {week for week in arrived if week > newest} if plans else {newest}
    needed = {asset: set(new) for asset in every_asset}
    for node in freshness.pipeline.values():
        if node.group in ORDER_GROUPS:
            needed[node.name] |= arrived
    if plans and freshness.home.settings.automation.late_data == "everything":
        for asset in every_asset:
            needed[asset] |= set(changed[asset])
    elif plans:
        for asset, read in freshness.upstream({"allocation_plan": new or {newest}}).items():
            needed[asset] |= read & set(changed[asset])
    weeks = sorted(set().union(*needed.values()))
    return {week: tuple(asset for asset in every_asset if week in needed[asset]) for week in weeks}


def _requests(weeks: Mapping[date, tuple[str, ...]]) -> list[Request]:
    """Join adjacent weeks with the same assets into one request, in the order of time: no week reads a later one."""
    requests: list[Request] = []
    for week, assets in sorted(weeks.items()):
        if requests and requests[-1].assets == assets and requests[-1].last == add_weeks(week, -1):
            requests[-1] = replace(requests[-1], last=week)
        else:
            requests.append(Request(week, week, assets))
    return requests


def _candidates(freshness: Freshness, newest: date, requested: Iterable[date]) -> list[date]:
    """Return the weeks that may have to be made: with files, made from files that were withdrawn, or requested."""
    touched = {week for week in freshness.files_by_week if freshness.first_week <= week <= newest}
    return sorted({*touched, *freshness.records("raw_orders"), *requested})


def _weeks_without_orders(freshness: Freshness, last: date) -> set[date]:
    """Return weeks up to `last` that no file touches and that are not made: later weeks need them."""
    every_week = weeks_between(freshness.first_week, last)
    return {*every_week} - freshness.files_by_week.keys() - freshness.records("raw_orders").keys()


def _files(freshness: Freshness, week: date) -> Mapping[str, str]:
    return freshness.inputs("raw_orders", week)[ORDER_FILES]


def _version(freshness: Freshness, week: date) -> str:
    return fingerprint({**_files(freshness, week), **planning_versions(freshness, week)})


def _is_made_from_its_files(freshness: Freshness, week: date) -> bool:
    raw, demand = (freshness.record(asset, week) for asset in ("raw_orders", "weekly_demand"))
    return bool(raw.data and demand.data) and raw.inputs.get(ORDER_FILES) == _files(freshness, week)


def _changed_files(freshness: Freshness, week: date) -> list[LandedFile]:
    """Return the files that touch the week, or did when it was made, and have changed since."""
    before = freshness.record("raw_orders", week).inputs.get(ORDER_FILES, {})
    names = {name for name, _ in before.items() ^ _files(freshness, week).items()}
    return [file for file in freshness.files if file.name in names]


def _is_made(freshness: Freshness, week: date, assets: Iterable[str]) -> bool:
    """Return whether a week is made, whatever other weeks it still waits for."""
    states = [freshness.state(asset, week) for asset in assets]
    return all(state.state == "fresh" or state.inherited for state in states)


def _state(file: LandedFile) -> str:
    return f"{file.size}-{file.modified.timestamp()}"


def _due(now: datetime, attempts: int) -> str:
    return (now.astimezone(UTC) + _RETRY_AFTER * int(4 ** (attempts - 1))).isoformat()


def _describe(
    freshness: Freshness,
    requests: Sequence[Request],
    arrived: set[date],
    changed: Mapping[str, Iterable[date]],
) -> list[str]:
    lines = []
    for request in requests:
        weeks = weeks_between(request.first, request.last)
        names = [file.name for file in touching(freshness.files, [w for w in weeks if w in arrived])]
        all_assets = set(request.assets) == set(freshness.pipeline)
        through = "all assets" if all_assets else ", ".join(request.assets)
        touched = f", touched by {count(len(names), 'file')}: {', '.join(names[:_FILES_NAMED])}"
        lines.append(f"Requesting {format_weeks(weeks)} through {through}{touched if names else ''}")
    requested = {
        (asset, week)
        for request in requests
        for asset in request.assets
        for week in weeks_between(request.first, request.last)
    }
    for asset, stale in changed.items():
        if left := [week for week in stale if (asset, week) not in requested]:
            lines.append(
                f"Left out of date by [automation] late_data: {asset} {format_weeks(left)} "
                "(forecasting-assets stale says why, backfill --resume makes them)"
            )
    return lines


def _given_up(cursor: Cursor) -> list[str]:
    weeks = [parse_week(week) for week, request in cursor.requested.items() if request.attempts >= ATTEMPTS]
    if not weeks:
        return []
    return [
        f"Requested {ATTEMPTS} times and not made: {format_weeks(weeks)}. See their runs; they are requested "
        "again once their files change."
    ]
