"""Provenance: what each week of a table was made from, and what became of it since.

A week's version is the fingerprint of its inputs' versions, down to the order files: as a week depends on its
inputs alone, equal versions hold equal rows. Where records are kept is not known here.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from sys import intern
from typing import Any

from forecasting_assets.wording import listed

#: Input name -> what of it was read (a week, a file, a setting) -> its version.
Inputs = Mapping[str, Mapping[str, str]]
FILES = "order files"
NETWORK = "network files"
SETTINGS = "settings"
#: What a check has found of data that it has not looked at yet.
UNCHECKED = "it has not looked at this data"


@dataclass(frozen=True)
class Failure:
    """Why a week could not be made, and in which run."""

    run_id: str
    reason: str


@dataclass(frozen=True)
class Record:
    """What is known of one week of a table; without `data` it was never made.

    data: content id of the data file that the record describes; a file with another content was written by a run that
    was interrupted, or changed since
    seen: size and time of change of that file, by which it is known without reading it
    failed_checks: blocking check -> what it found, for this data
    failure: of an attempt since the data was written
    """

    version: str = ""
    inputs: Inputs = field(default_factory=dict)
    data: str = ""
    seen: str = ""
    failed_checks: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None

    def failed_in(self, run_id: str) -> bool:
        return self.failure is not None and self.failure.run_id == run_id

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """ValueError if `text` is no record."""
        try:
            told = json.loads(text)
            failure = told["failure"]
            # Thousands of records name the same weeks and versions: each is to be in memory once.
            inputs = {
                intern(name): {intern(of): intern(version) for of, version in items.items()}
                for name, items in told["inputs"].items()
            }
            return replace(cls(**told), inputs=inputs, failure=Failure(**failure) if failure else None)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no record of a week: {error}") from None


def fingerprint(content: Any) -> str:
    """12 hexadecimal digits of anything that JSON can say."""
    text = json.dumps(content, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def network_contents(folder: Path) -> dict[str, str]:
    """Network file -> what identifies its content."""
    return {file.name: fingerprint(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.csv"))}


def differences(recorded: Inputs, current: Inputs) -> list[str]:
    """What has changed since a week was made, in words, one line an input."""
    found = []
    for name in sorted({*recorded, *current}):
        before, now = recorded.get(name, {}), current.get(name, {})
        for what, items in (
            ("changed", [i for i in before if i in now and before[i] != now[i]]),
            ("new", [i for i in now if i not in before]),
            ("gone", [i for i in before if i not in now]),
        ):
            if items:
                found.append(f"{name} {what}: {listed(sorted(items), 3)}")
    return found
