"""Plan how a backfill is split into runs: few enough that starting them costs little, short enough to lose little.

Pure arithmetic; runs.py executes the runs and measures them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from forecasting_assets.weeks import contiguous, weeks_between

#: Seconds; an interruption loses at most the run in progress.
LONGEST_RUN = 15 * 60.0


@dataclass(frozen=True)
class Cost:
    """Time that runs take.

    Attributes
    ----------
    start_up
        Seconds to start a run.
    per_week
        Seconds for each week in it.
    measured
        Number of past runs that these are measured from; 0 for an assumption.
    """

    start_up: float = 30.0
    per_week: float = 10.0
    measured: int = 0

    def of(self, weeks: int) -> float:
        """Return the seconds that a run of `weeks` weeks takes."""
        return self.start_up + weeks * self.per_week


def measured_cost(runs: Sequence[tuple[int, float]]) -> Cost:
    """Fit start-up time and time per week to past runs by least squares.

    Parameters
    ----------
    runs
        Number of weeks and seconds of each past run.

    Returns
    -------
    Cost
        The default assumption if there are no past runs.
    """
    if not runs:
        return Cost()
    weeks, seconds = np.array(runs, float).T
    if len(set(weeks)) > 1:
        per_week, start_up = np.polyfit(weeks, seconds, 1)
        if per_week > 0 and start_up > 0:
            return Cost(float(start_up), float(per_week), len(runs))
    # Runs of equal length give their total time, but not how it divides into start-up and weeks.
    start_up = min(Cost().start_up, float(seconds.mean()) / 2)
    return Cost(start_up, float((seconds.mean() - start_up) / weeks.mean()), len(runs))


def chunks(weeks: Iterable[date], cost: Cost) -> list[list[date]]:
    """Split weeks into runs of consecutive weeks, of about equal length and at most about `LONGEST_RUN`."""
    longest = max(1, int((LONGEST_RUN - cost.start_up) / cost.per_week))
    runs = []
    for first, last in contiguous(weeks):
        consecutive = weeks_between(first, last)
        count = -(-len(consecutive) // longest)
        edges = [round(i * len(consecutive) / count) for i in range(count + 1)]
        runs += [consecutive[a:b] for a, b in pairwise(edges)]
    return runs


def duration(seconds: float) -> str:
    """Format a duration: `45 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
