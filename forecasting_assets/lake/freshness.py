"""Which weeks of which asset were made from what, and whether that is still so.

It reads the declarations of the assets, the records in the lake, the index of the landing zone and the
settings; it changes nothing. Dagster is asked nothing: the answer holds however the weeks were made.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from forecasting_assets.lake.lake import Lake, missing_weeks_message
from forecasting_assets.lake.landing import (
    LandedFile,
    Landing,
    describe_errors,
    describe_unread,
    outside_calendar,
)
from forecasting_assets.lake.records import (
    FILES,
    NETWORK,
    SETTINGS,
    UNCHECKED,
    Inputs,
    Record,
    differences,
    fingerprint,
    network_contents,
)
from forecasting_assets.orchestration.factory import Declared, Weekly
from forecasting_assets.storage import StoreError
from forecasting_assets.weeks import add_weeks, format_weeks, newest_closed_week, weeks_between
from forecasting_assets.wording import count

#: Run tag that names checks (`asset/check`, comma-separated) whose failure is to hold nothing back.
OVERRIDE = "forecasting/override_checks"
STATES = ("fresh", "out of date", "missing", "failed")


@dataclass(frozen=True)
class WeekState:
    """How a week of an asset stands.

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
class Lineage:
    """A view of the lake as it was when each table was first looked at; `landed` are the order files, if they
    have been listed already."""

    weekly: Weekly
    landed: Sequence[LandedFile] | None = None
    store_error: StoreError | None = None
    _records: dict[str, dict[date, Record]] = field(default_factory=dict)
    _settings: dict[str, str] = field(default_factory=dict)
    _states: dict[str, dict[date, WeekState]] = field(default_factory=dict)

    @cached_property
    def lake(self) -> Lake:
        return Lake(path=self.weekly.settings.lake_path)

    @cached_property
    def landing(self) -> Landing:
        return Landing.of(self.weekly.settings)

    @cached_property
    def files(self) -> Sequence[LandedFile]:
        """The order files of the landing zone; as they were known before, if its store does not answer."""
        if self.landed is not None:
            return self.landed
        try:
            return self.landing.refresh()
        except StoreError as error:
            self.store_error = error
            return self.landing.files()

    def lost_files(self, asset: str, week: date) -> list[LandedFile]:
        """Order files that can no longer be read and that `week` of `asset` was made from: it would lose their rows."""
        held = self.records(asset).get(week, Record()).inputs.get(FILES, {})
        return [file for file in self.touching.get(week, ()) if file.error and file.name in held]

    def declared(self, asset: str) -> Declared:
        return self.weekly.declared[asset]

    def records(self, asset: str) -> dict[date, Record]:
        if asset not in self._records:
            self._records[asset] = self.lake.records(self.declared(asset).table)
        return self._records[asset]

    def window(self, asset: str, upstream: str, week: date) -> list[date]:
        """The weeks of `upstream` that `week` of `asset` reads, as far as history goes back."""
        source = next(u for u in self.declared(asset).upstream if u.asset == upstream)
        first = max(add_weeks(week, source.first), self.weekly.settings.calendar.first_week)
        return weeks_between(first, add_weeks(week, source.last))

    def inputs(self, asset: str, week: date) -> Inputs:
        """What `week` of `asset` would be made from now."""
        declared = self.declared(asset)
        found: dict[str, dict[str, str]] = {
            SETTINGS: {name: self._setting(name) for name in declared.settings}
        }
        for source in declared.upstream:
            found[source.asset] = self._versions(asset, source.asset, week)
        if declared.reads == FILES:
            files = self.touching.get(week, ())
            found[FILES] = {file.name: file.fingerprint for file in files if not file.error}
        elif declared.reads == NETWORK:
            found[NETWORK] = self._network
        return found

    def own_inputs(self, asset: str, week: date) -> Inputs:
        """What of `inputs` are earlier weeks of the asset itself, which a run may have made just now."""
        reads_itself = any(source.asset == asset for source in self.declared(asset).upstream)
        return {asset: self._versions(asset, asset, week)} if reads_itself else {}

    def keep(self, asset: str, week: date, record: Record) -> None:
        """Write the record of a week that has been made."""
        self.lake.write_record(self.declared(asset).table, week, record)
        self.records(asset)[week] = record

    def _versions(self, asset: str, upstream: str, week: date) -> dict[str, str]:
        records = self.records(upstream)
        window = self.window(asset, upstream, week)
        return {str(w): records[w].version for w in window if w in records and records[w].data}

    @cached_property
    def touching(self) -> dict[date, list[LandedFile]]:
        """week -> the files with orders of it."""
        weeks: dict[date, list[LandedFile]] = {}
        for file in self.files:
            for week in file.weeks:
                weeks.setdefault(week, []).append(file)
        return weeks

    @cached_property
    def _network(self) -> dict[str, str]:
        return network_contents(self.weekly.settings.network_path)

    def _setting(self, name: str) -> str:
        if name not in self._settings:
            value = self.weekly.settings
            for part in name.split("."):
                value = getattr(value, part)
            said = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
            self._settings[name] = fingerprint(said)
        return self._settings[name]

    # ------------------------------------------------------------------ what is in the way

    def obstacles(
        self, asset: str, week: date, run_id: str, overridden: Iterable[str], again: Collection[date]
    ) -> list[str]:
        """Why `week` of `asset` must not be made in this run; none if nothing is in the way.

        overridden: `asset/check` whose failure a person has decided to go ahead in spite of
        again: weeks of the asset that are made in this run before it
        """
        found = []
        for source in self.declared(asset).upstream:
            table, records = self.declared(source.asset).table, self.records(source.asset)
            window = self.window(asset, source.asset, week)
            if source.asset == asset:
                window = [w for w in window if w not in again]
            missing = [w for w in window if w not in records or not records[w].data]
            if missing and not source.optional:
                found.append(missing_weeks_message(table, missing))
            for w in window:
                record = records.get(w, Record())
                if w == week and record.failed_in(run_id):
                    found.append(f"{source.asset} {w} failed in this run")
                for check, said in record.failed_checks.items():
                    if (name := f"{source.asset}/{check}") in overridden:
                        continue
                    remedy = (
                        "another run has just made that week, or was cut off: wait for it or materialize that week"
                        if said == UNCHECKED
                        else "mend its cause and materialize that week"
                    )
                    found.append(
                        f"the check {check} of {source.asset} {w} failed ({said}): {remedy} again, or go ahead with "
                        f"the run tag {OVERRIDE}={name}"
                    )
        if self.declared(asset).reads == FILES:
            found += [
                f"{file.error}. This week was made with rows of it, which would be lost"
                for file in self.lost_files(asset, week)
            ]
        return list(dict.fromkeys(found))

    # ------------------------------------------------------------------ status

    def state(self, asset: str, week: date) -> WeekState:
        """The state of a week, as `states` has it; of a week that is not expected, its own."""
        return self.states(asset).get(week) or self._own_state(asset, week)

    def _own_state(self, asset: str, week: date) -> WeekState:
        """The state of a week by itself: whether it was made from what it would be made from now."""
        record = self.records(asset).get(week, Record())
        if record.failure:
            return WeekState("failed", (record.failure.reason.splitlines()[0],))
        if not record.data:
            return WeekState("missing")
        if not record.inputs:
            return WeekState("out of date", (self.lake.describe_change(self.declared(asset).table, week),))
        if UNCHECKED in record.failed_checks.values():
            return WeekState("out of date", ("its checks have not run: its run was interrupted",))
        current = self.inputs(asset, week)
        if NETWORK in current:  # a week keeps the network as it was when the week was planned
            current = {**current, NETWORK: record.inputs.get(NETWORK, {})}
        reasons = differences(record.inputs, current) if record.inputs != current else []
        return WeekState("out of date", tuple(reasons)) if reasons else WeekState("fresh")

    def weeks(self, asset: str) -> list[date]:
        """The weeks that can be expected of `asset`: from the first of history or of its own to the newest
        that has closed and has orders, or had some when it was made."""
        known = [week for week, record in self.records(asset).items() if record.data]
        closed = [week for week in {*self.touching, *known} if week <= newest_closed_week()]
        if not closed:
            return known
        newest = max(closed)
        # Orders of all weeks are wanted; forecasts and plans from where somebody began with them.
        first = self.weekly.settings.calendar.first_week
        if not self._of_orders(asset):
            first = max(first, min(known, default=newest))
        return weeks_between(first, newest)

    def _of_orders(self, asset: str) -> bool:
        """Whether each week is made from the order files of that week alone."""
        declared = self.declared(asset)
        sources = declared.upstream
        return declared.reads == FILES or (
            bool(sources) and all(not source.first and self._of_orders(source.asset) for source in sources)
        )

    def status(self) -> dict[str, dict[date, WeekState]]:
        """Asset -> week -> its state, in the order of the graph."""
        return {asset: self.states(asset) for asset in self.weekly.declared}

    def states(self, asset: str) -> dict[date, WeekState]:
        """The state of each week of `asset` that can be expected.

        A week is out of date if it would be made from other inputs now, or if weeks that it reads will change when
        they are made again: then it will change with them.
        """
        if asset not in self._states:
            weeks = self.weeks(asset)
            self._states[asset] = found = {}
            # Weeks that will change, in order, so that those within a window are found by bisection.
            changing = {
                source.asset: self._changing(source.asset, source.optional)
                for source in self.declared(asset).upstream
                if source.asset != asset
            }
            own_changing: list[date] = []
            for week in weeks:
                state = self._own_state(asset, week)
                if state.state == "fresh":
                    causes = self._causes(asset, week, {**changing, asset: own_changing})
                    if causes:
                        state = WeekState("out of date", tuple(causes), inherited=True)
                if state.state != "fresh":
                    own_changing.append(week)
                found[week] = state
        return self._states[asset]

    def _changing(self, asset: str, optional: bool) -> list[date]:
        """Weeks that will change once they are made again; where they are optional, only those that exist."""
        return [
            week
            for week, state in self.states(asset).items()
            if state.state != "fresh" and not (optional and not self.records(asset).get(week, Record()).data)
        ]

    def _causes(self, asset: str, week: date, changing: Mapping[str, Sequence[date]]) -> list[str]:
        causes = []
        for source in self.declared(asset).upstream:
            weeks = changing[source.asset]
            begin = bisect_left(weeks, add_weeks(week, source.first))
            end = bisect_right(weeks, add_weeks(week, source.last))
            if begin < end:
                causes.append(f"{source.asset} is out of date")
        return causes

    def stale(self) -> dict[str, dict[date, WeekState]]:
        """Asset -> week -> why it is not fresh, in the order of the graph."""
        return {
            asset: {week: state for week, state in weeks.items() if state.state != "fresh"}
            for asset, weeks in self.status().items()
        }

    def downstream(self, weeks: Iterable[date]) -> dict[str, list[date]]:
        """Asset -> the weeks of it that change with the order files of `weeks`."""
        arrived = sorted(weeks)
        found: dict[str, list[date]] = {}
        for asset, declared in self.weekly.declared.items():
            found[asset] = arrived if declared.reads == FILES else []
            for week in self.weeks(asset):
                if declared.reads != FILES and self._causes(asset, week, found):
                    found[asset].append(week)
        return found

    def upstream(self, targets: Mapping[str, Iterable[date]]) -> dict[str, set[date]]:
        """Asset -> the weeks of it that are read to make `targets`, directly or by what they read, and themselves."""
        needed = {asset: set(targets.get(asset, ())) for asset in self.weekly.declared}
        for asset in reversed(self.weekly.declared):
            for source in self.declared(asset).upstream:
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


def by_state(weeks: Mapping[date, WeekState]) -> dict[str, list[date]]:
    """state -> the weeks in it, for every state."""
    return {name: [week for week, found in weeks.items() if found.state == name] for name in STATES}


def describe_weeks(lineage: Lineage) -> list[str]:
    """The weeks of each asset that are not fresh, and why those failed that did."""
    lines = []
    for asset, weeks in lineage.status().items():
        states = by_state(weeks)
        lines += [f"{asset} {name}: {format_weeks(states[name])}" for name in STATES[1:] if states[name]]
        lines += [f"  {week}: {reason}" for week in states["failed"] for reason in weeks[week].reasons]
    return lines


def describe_stale(lineage: Lineage) -> str:
    """Every week that is out of date or will be, by asset, with the reasons of those that have one of their own."""
    lines = []
    for asset, weeks in lineage.stale().items():
        if weeks:
            lines.append(f"{asset}: {len(weeks)} weeks, {format_weeks(weeks)}")
            by_reason: dict[str, list[date]] = {}
            for week, found in weeks.items():
                for reason in found.reasons or (found.state,):
                    by_reason.setdefault(reason, []).append(week)
            lines += [f"  {reason} ({format_weeks(where)})" for reason, where in list(by_reason.items())[:10]]
            if len(by_reason) > 10:
                lines.append(f"  and {len(by_reason) - 10} more reasons")
    return "\n".join([*(lines or ["Nothing is out of date."]), *describe_files(lineage)])


def describe_files(lineage: Lineage) -> list[str]:
    """Files that are not read, or not planned, and what is wrong with them."""
    strays = outside_calendar(lineage.files, first := lineage.weekly.settings.calendar.first_week)
    names = {name for files in strays.values() for name in files}
    lines = [f"Not read: {line}" for line in describe_errors(lineage.files).splitlines()]
    if lineage.store_error:
        lines.insert(0, f"{lineage.store_error}. Order files are listed as they were known before.")
    lines += [f"Not read: {line}" for line in describe_unread(lineage.landing.unread_files())]
    if strays:
        lines.append(
            f"Not planned: orders of {format_weeks(strays)} in {count(len(names), 'file')} "
            f"([calendar] first_week is {first})"
        )
    return lines
