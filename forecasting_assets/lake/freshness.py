"""Freshness: which weeks of which asset were made from what, and whether they would be made from the same now.

It reads the graph, the records in the lake, the index of the landing zone and the settings, and changes none of them.
Dagster is not involved: the answer is the same however the weeks were made.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from forecasting_assets.graph import NETWORK_FILES, ORDER_FILES, PLANNING_FILES, Pipeline
from forecasting_assets.lake.home import Home, open_home
from forecasting_assets.lake.landed_files import LandedFile, files_by_week
from forecasting_assets.lake.network import network_contents
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.records import SETTINGS, UNCHECKED, Inputs, Record, differences, fingerprint
from forecasting_assets.settings import Settings
from forecasting_assets.storage import StoreError
from forecasting_assets.weeks import add_weeks, newest_closed_week, weeks_between

STATES = ("fresh", "out of date", "missing", "failed")


@dataclass(frozen=True)
class WeekState:
    """State of one week of an asset.

    Attributes
    ----------
    state
        `fresh`, `out of date`, `missing` or `failed`.
    reasons
        Why it is not fresh.
    inherited
        Whether it is out of date only because weeks that it reads are.
    """

    state: str
    reasons: tuple[str, ...] = ()
    inherited: bool = False


@dataclass
class Freshness:
    """A view of a home as it was when each table was first looked at.

    Attributes
    ----------
    home
        The home.
    landed
        Its order files, if they have been listed already.
    store_error
        Why the landing zone could not be listed, if it could not.
    """

    home: Home
    landed: Sequence[LandedFile] | None = None
    store_error: StoreError | None = None
    _records: dict[str, dict[date, Record]] = field(default_factory=dict)
    _settings: dict[str, str] = field(default_factory=dict)
    _states: dict[str, dict[date, WeekState]] = field(default_factory=dict)

    @property
    def pipeline(self) -> Pipeline:
        """The graph."""
        return self.home.pipeline

    @property
    def first_week(self) -> date:
        """The first week of history."""
        return self.home.settings.calendar.first_week

    # ------------------------------------------------------------------ inputs

    @cached_property
    def files(self) -> Sequence[LandedFile]:
        """The order files of the landing zone; the ones known before if its store does not answer."""
        if self.landed is not None:
            return self.landed
        try:
            return self.home.landing.refresh()
        except StoreError as error:
            self.store_error = error
            return self.home.landing.files()

    @cached_property
    def files_by_week(self) -> dict[date, list[LandedFile]]:
        """Week -> the files with orders of it."""
        return files_by_week(self.files)

    @cached_property
    def weeks_without_orders(self) -> list[date]:
        """The closed weeks after the newest one with orders; none if there are no orders at all."""
        newest = newest_closed_week()
        with_orders = [week for week in self.files_by_week if week <= newest]
        return weeks_between(add_weeks(max(with_orders), 1), newest) if with_orders else []

    @cached_property
    def _network(self) -> dict[str, str]:
        return network_contents(self.home.settings.network_path)

    @cached_property
    def planning(self) -> PlanningFolder:
        """The planning folder."""
        return PlanningFolder.of(self.home.settings)

    def records(self, asset: str) -> dict[date, Record]:
        """Return the records of an asset's weeks."""
        if asset not in self._records:
            self._records[asset] = self.home.lake.records.read(self.pipeline[asset].table)
        return self._records[asset]

    def record(self, asset: str, week: date) -> Record:
        """Return the record of a week, an empty one if there is none."""
        return self.records(asset).get(week, Record())

    def keep(self, asset: str, week: date, record: Record) -> None:
        """Write the record of a week that has been made."""
        self.home.lake.records.write(self.pipeline[asset].table, week, record)
        self.records(asset)[week] = record

    def window(self, asset: str, upstream: str, week: date) -> list[date]:
        """Return the weeks of `upstream` that `week` of `asset` reads, as far as history goes back."""
        source = next(u for u in self.pipeline[asset].upstream if u.asset == upstream)
        first = max(add_weeks(week, source.first), self.first_week)
        return weeks_between(first, add_weeks(week, source.last))

    def inputs(self, asset: str, week: date) -> Inputs:
        """Return what `week` of `asset` would be made from now."""
        node = self.pipeline[asset]
        inputs: dict[str, dict[str, str]] = {SETTINGS: {name: self._setting(name) for name in node.settings}}
        for source in node.upstream:
            inputs[source.asset] = self._versions(asset, source.asset, week)
        if node.files == ORDER_FILES:
            files = self.files_by_week.get(week, ())
            inputs[ORDER_FILES] = {file.name: file.fingerprint for file in files if not file.error}
        elif node.files == NETWORK_FILES:
            inputs[NETWORK_FILES] = self._network
        if node.planning:
            inputs[PLANNING_FILES] = self.planning.versions(week, node.planning)
        return inputs

    def own_inputs(self, asset: str, week: date) -> Inputs:
        """Return those of `inputs` that are earlier weeks of the asset itself, which a run may just have made."""
        reads_itself = any(source.asset == asset for source in self.pipeline[asset].upstream)
        return {asset: self._versions(asset, asset, week)} if reads_itself else {}

    def _versions(self, asset: str, upstream: str, week: date) -> dict[str, str]:
        records = self.records(upstream)
        window = self.window(asset, upstream, week)
        return {str(w): records[w].version for w in window if w in records and records[w].data}

    def _setting(self, name: str) -> str:
        if name not in self._settings:
            value: Any = self.home.settings
            for part in name.split("."):
                value = getattr(value, part)
            self._settings[name] = fingerprint(
                value.model_dump(mode="json") if hasattr(value, "model_dump") else value
            )
        return self._settings[name]

    def lost_files(self, asset: str, week: date) -> list[LandedFile]:
        """Return unreadable order files that `week` of `asset` was made from: made again, it would lose their rows."""
        used = self.record(asset, week).inputs.get(ORDER_FILES, {})
        return [file for file in self.files_by_week.get(week, ()) if file.error and file.name in used]

    # ------------------------------------------------------------------ states

    def state(self, asset: str, week: date) -> WeekState:
        """Return the state of a week; a week that is not expected is judged by itself."""
        return self.states(asset).get(week) or self._own_state(asset, week)

    def states(self, asset: str) -> dict[date, WeekState]:
        """Return the state of each expected week of `asset`.

        A week is out of date if it would be made from other inputs now, or if weeks that it reads will change when
        they are made again: then it will change with them.
        """
        if asset not in self._states:
            self._states[asset] = states = {}
            # Weeks that will change are sorted, so that those within a window are found by bisection.
            changing = {
                source.asset: self._changing(source.asset, source.optional)
                for source in self.pipeline[asset].upstream
                if source.asset != asset
            }
            own_changing: list[date] = []
            for week in self.weeks(asset):
                state = self._own_state(asset, week)
                if state.state == "fresh":
                    causes = self._causes(asset, week, {**changing, asset: own_changing})
                    if causes:
                        state = WeekState("out of date", tuple(causes), inherited=True)
                if state.state != "fresh":
                    own_changing.append(week)
                states[week] = state
        return self._states[asset]

    def status(self) -> dict[str, dict[date, WeekState]]:
        """Return asset -> week -> its state, in the order of the graph."""
        return {asset: self.states(asset) for asset in self.pipeline}

    def stale(self) -> dict[str, dict[date, WeekState]]:
        """Return asset -> week -> its state, of the weeks that are not fresh, in the order of the graph."""
        return {
            asset: {week: state for week, state in weeks.items() if state.state != "fresh"}
            for asset, weeks in self.status().items()
        }

    def weeks(self, asset: str) -> list[date]:
        """Return the weeks that `asset` is expected to have.

        They begin with history, or with the asset's own first week, and end with the newest closed week that has
        orders, or had some when it was made.
        """
        known = [week for week, record in self.records(asset).items() if record.data]
        closed = [week for week in {*self.files_by_week, *known} if week <= newest_closed_week()]
        if not closed:
            return known
        newest = max(closed)
        first = self.first_week
        # Assets made from order files must have every week; forecasts and plans start at the first week a user made.
        if not self._follows_files(asset):
            first = max(first, min(known, default=newest))
        return weeks_between(first, newest)

    def _follows_files(self, asset: str) -> bool:
        """Return whether a week of `asset` needs nothing but the order files of that week."""
        node = self.pipeline[asset]
        needed = [source for source in node.upstream if not source.optional]
        return node.files == ORDER_FILES or (
            bool(needed) and all(not source.first and self._follows_files(source.asset) for source in needed)
        )

    def _own_state(self, asset: str, week: date) -> WeekState:
        """Judge a week by itself: whether it was made from what it would be made from now."""
        record = self.record(asset, week)
        if record.failure:
            return WeekState("failed", (record.failure.reason.splitlines()[0],))
        if not record.data:
            return WeekState("missing")
        if not record.inputs:
            change = self.home.lake.records.describe_change(self.pipeline[asset].table, week)
            return WeekState("out of date", (change,))
        if UNCHECKED in record.failed_checks.values():
            return WeekState("out of date", ("its checks have not run: its run was interrupted",))
        current = self.inputs(asset, week)
        if NETWORK_FILES in current:  # a week keeps the network as it was when the week was planned
            current = {**current, NETWORK_FILES: record.inputs.get(NETWORK_FILES, {})}
        reasons = differences(record.inputs, current) if record.inputs != current else []
        return WeekState("out of date", tuple(reasons)) if reasons else WeekState("fresh")

    def _changing(self, asset: str, optional: bool) -> list[date]:
        """Return the weeks that will change once they are made again; of optional ones, only those that exist."""
        return [
            week
            for week, state in self.states(asset).items()
            if state.state != "fresh" and not (optional and not self.record(asset, week).data)
        ]

    def _causes(self, asset: str, week: date, changing: Mapping[str, Sequence[date]]) -> list[str]:
        causes = []
        for source in self.pipeline[asset].upstream:
            if source.published:
                continue
            if source.only_with and not self._may_hold_rows(source.asset, source.only_with):
                continue
            weeks = changing[source.asset]
            begin = bisect_left(weeks, add_weeks(week, source.first))
            end = bisect_right(weeks, add_weeks(week, source.last))
            if begin < end:
                causes.append(f"{source.asset} is out of date")
        return causes

    @cached_property
    def _landed_columns(self) -> set[str]:
        return {column for file in self.files for column in file.columns}

    def _may_hold_rows(self, asset: str, column: str) -> bool:
        """Return whether weeks of `asset` hold rows, or would if made now: only order lines with `column` make any."""
        if self.home.settings.orders.landed_names[column] in self._landed_columns:
            return True
        # The files with that column may have been withdrawn since. Weeks without rows have equal versions.
        return len({record.version for record in self.records(asset).values() if record.data}) > 1

    # ------------------------------------------------------------------ up and down the graph

    def downstream(self, weeks: Iterable[date]) -> dict[str, list[date]]:
        """Return asset -> its weeks that change with the order files of `weeks`."""
        arrived = sorted(weeks)
        changed: dict[str, list[date]] = {}
        for asset, node in self.pipeline.items():
            if node.files == ORDER_FILES:
                changed[asset] = arrived
                continue
            changed[asset] = []
            for week in self.weeks(asset):
                if self._causes(asset, week, changed):
                    changed[asset].append(week)
        return changed

    def upstream(self, targets: Mapping[str, Iterable[date]]) -> dict[str, set[date]]:
        """Return asset -> all of its weeks needed for `targets`, directly or indirectly, the targets included.

        Weeks that are read as they were published are not among them.
        """
        needed = {asset: set(targets.get(asset, ())) for asset in self.pipeline}
        for asset in reversed(self.pipeline):
            for source in self.pipeline[asset].upstream:
                if source.published:
                    continue
                if source.asset == asset:  # its own earlier weeks, and those that these read in turn
                    new = needed[asset]
                    while new:
                        read = {w for week in new for w in self.window(asset, asset, week)}
                        new = read - needed[asset]
                        needed[asset] |= new
                else:
                    for week in needed[asset]:
                        needed[source.asset] |= set(self.window(asset, source.asset, week))
        return needed


def freshness_of(settings: Settings) -> Freshness:
    """Return the freshness of the home that `settings` describe."""
    return Freshness(open_home(settings))


def by_state(weeks: Mapping[date, WeekState]) -> dict[str, list[date]]:
    """Group weeks by their state; every state is a key."""
    return {state: [week for week, found in weeks.items() if found.state == state] for state in STATES}
