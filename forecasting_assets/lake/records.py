"""Records: what each week of a table was made from, and what happened to it since.

The version of a week is the fingerprint of the versions of its inputs, down to the order files. As a week depends on
its inputs alone, equal versions hold equal rows. Weeks of assets that are versioned by their rows have a hash of these
as version.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from sys import intern
from typing import Any

from forecasting_assets.wording import listed

#: Name of an input (an asset, a kind of files, SETTINGS) -> its items (weeks, files, names) -> their versions.
Inputs = Mapping[str, Mapping[str, str]]
SETTINGS = "settings"
#: Result of a check that has not looked at the data of a week yet.
UNCHECKED = "it has not looked at this data"


@dataclass(frozen=True)
class Failure:
    """Why a week could not be made, and in which run."""

    run_id: str
    reason: str


@dataclass(frozen=True)
class Record:
    """What is known of one week of a table.

    Attributes
    ----------
    version
        Fingerprint of `inputs`, or of the rows.
    inputs
        What the week was made from.
    data
        Content id of the data file that the record describes; empty if the week was never made. A file with another
        content was written by a run that was interrupted, or changed since.
    seen
        Size and time of change of that file, by which it is known without reading it.
    failed_checks
        Blocking check -> what it found in this data.
    failure
        Of an attempt to make the week since the data was written.
    """

    version: str = ""
    inputs: Inputs = field(default_factory=dict)
    data: str = ""
    seen: str = ""
    failed_checks: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None

    def failed_in(self, run_id: str) -> bool:
        """Return whether the week failed in this run."""
        return self.failure is not None and self.failure.run_id == run_id

    def to_json(self) -> str:
        """Return the record as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Record":
        """Read a stored record.

        Raises
        ------
        ValueError
            If `text` is not a record.
        """
        try:
            values = json.loads(text)
            failure = values["failure"]
            # Thousands of records name the same weeks and versions: intern keeps each in memory once.
            inputs = {
                intern(name): {intern(item): intern(version) for item, version in items.items()}
                for name, items in values["inputs"].items()
            }
            return replace(cls(**values), inputs=inputs, failure=Failure(**failure) if failure else None)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a record of a week: {error}") from None


def fingerprint(content: Any) -> str:
    """Return 12 hexadecimal digits that identify anything JSON can express."""
    text = json.dumps(content, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def differences(recorded: Inputs, current: Inputs) -> list[str]:
    """Say what has changed since a week was made, one line for each input and kind of change."""
    lines = []
    for name in sorted({*recorded, *current}):
        before, now = recorded.get(name, {}), current.get(name, {})
        for change, items in (
            ("changed", [i for i in before if i in now and before[i] != now[i]]),
            ("new", [i for i in now if i not in before]),
            ("removed", [i for i in before if i not in now]),
        ):
            if items:
                lines.append(f"{name} {change}: {listed(sorted(items), 3)}")
    return lines
