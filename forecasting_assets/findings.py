"""The result of a check: the core returns it, and the edge turns it into an asset check result."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """Whether a check passed, a description for people, and numbers to show beside it."""

    passed: bool
    description: str
    metadata: Mapping[str, float | int | str] = field(default_factory=dict)
