"""How a backfill is cut into runs: few enough that starting them costs little, short enough to lose little.

Pure arithmetic; what is run and measured stands in runs.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from forecasting_assets.weeks import contiguous, weeks_between

#: An interruption loses at most the run that is going on.
LONGEST_RUN = 15 * 60.0


@dataclass(frozen=True)
class Cost:
    """Seconds to start a run and seconds for each week in it; `measured` in how many runs."""

    start_up: float = 30.0
    per_week: float = 10.0
    measured: int = 0

    def of(self, weeks: int) -> float:
        return self.start_up + weeks * self.per_week


def measured_cost(runs: Sequence[tuple[int, float]]) -> Cost:
    """The least-squares line through (weeks, seconds) of earlier runs; the stated guess without any."""
    if not runs:
        return Cost()
    weeks, seconds = np.array(runs, float).T
    if len(set(weeks)) > 1:
        per_week, start_up = np.polyfit(weeks, seconds, 1)
        if per_week > 0 and start_up > 0:
            return Cost(float(start_up), float(per_week), len(runs))
    # Runs of one length say what a run costs, not how it is made up.
    start_up = min(Cost().start_up, float(seconds.mean()) / 2)
    return Cost(start_up, float((seconds.mean() - start_up) / weeks.mean()), len(runs))


def chunks(weeks: Iterable[date], cost: Cost) -> list[list[date]]:
    """`weeks` as runs of consecutive weeks, of even length, each about LONGEST_RUN at most."""
    most = max(1, int((LONGEST_RUN - cost.start_up) / cost.per_week))
    made = []
    for first, last in contiguous(weeks):
        together = weeks_between(first, last)
        parts = -(-len(together) // most)
        edges = [round(i * len(together) / parts) for i in range(parts + 1)]
        made += [together[a:b] for a, b in pairwise(edges)]
    return made


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
