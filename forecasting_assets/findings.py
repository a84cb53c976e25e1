"""What a check found: the core returns it, the edge turns it into an asset check result."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    passed: bool
    description: str
    metadata: Mapping[str, float | int | str] = field(default_factory=dict)
