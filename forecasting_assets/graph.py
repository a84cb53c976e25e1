"""What a node of the graph is: an asset with its upstream weeks, files, settings and checks.

The graph itself is in `pipeline`.
"""

from dataclasses import dataclass
from datetime import date

from forecasting_assets.tables import Table

#: Landed files that an asset reads.
ORDER_FILES = "order files"
NETWORK_FILES = "network files"
PLANNING_FILES = "planning files"


@dataclass(frozen=True)
class Upstream:
    """The weeks of another asset that week W reads.

    Attributes
    ----------
    asset
        Name of the asset. An asset may read earlier weeks of its own, as optional ones.
    first, last
        Offsets of the first and last week from W.
    optional
        Whether W can be made although some of the weeks do not exist.
    only_with
        Order column without which these weeks hold nothing, and so never change.
    published
        Whether these weeks are read as they were published, because they have been acted on. W does not become out of
        date when they are, but when they have been made again.
    """

    asset: str
    first: int = 0
    last: int = 0
    optional: bool = False
    only_with: str | None = None
    published: bool = False


@dataclass(frozen=True)
class PlanningInput:
    """The rows of planning files that week W reads.

    Attributes
    ----------
    kind
        Kind of planning file, a name in `tables.PLANNING_FILES`.
    past
        Whether W looks back on earlier weeks: it reads all rows known by the end of the week before, also those
        about weeks that have passed. If not, it reads the rows known by the end of W that are about later weeks.
    weeks
        Number of weeks up to W, within which rows became known; None if rows may be older.
    ahead, since
        Only for known covariates: the number of weeks after W that a row may be about, and the first week of history. W
        reads only the rows that become known in W; everything known by the end of W is in the weeks up to W.
    """

    kind: str
    past: bool = False
    weeks: int | None = None
    ahead: int | None = None
    since: date | None = None


@dataclass(frozen=True)
class Check:
    """A check of one week.

    Attributes
    ----------
    name
        Name, unique within the asset.
    description
        What must hold.
    blocking
        Whether assets downstream of a week are held back while the check fails. If not, a failure is a warning.
    """

    name: str
    description: str
    blocking: bool = True


@dataclass(frozen=True)
class WeeklyAsset:
    """An asset of the graph.

    Attributes
    ----------
    table
        Table of the lake that it writes; the asset has the table's name.
    group
        Group in the Dagster UI.
    upstream
        Weeks of other assets that it reads.
    files
        Landed files that it reads: ORDER_FILES or NETWORK_FILES.
    planning
        Rows of planning files that it reads.
    settings
        Dotted names of the settings that change what it holds.
    also_writes
        Tables that it writes beside its own.
    checks
        Checks of each week.
    versioned_by_rows
        Whether a week that is made again from other inputs, but with the same rows, counts as unchanged for what is
        made from it.
    """

    table: Table
    group: str
    upstream: tuple[Upstream, ...] = ()
    files: str | None = None
    planning: tuple[PlanningInput, ...] = ()
    settings: tuple[str, ...] = ()
    also_writes: tuple[Table, ...] = ()
    checks: tuple[Check, ...] = ()
    versioned_by_rows: bool = False

    @property
    def name(self) -> str:
        """Name of the asset."""
        return self.table.name

    @property
    def blocking_checks(self) -> list[str]:
        """Names of the checks whose failure holds back what is downstream."""
        return [check.name for check in self.checks if check.blocking]


#: Name -> asset, upstream before downstream.
Pipeline = dict[str, WeeklyAsset]
