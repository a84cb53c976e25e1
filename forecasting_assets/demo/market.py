"""What the synthetic marketplace is made of: its settings, processes, regions and manufacturers.

Constants and settings only. What customers order is in `demand`, who can make it in `network`.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from forecasting_assets.weeks import add_weeks, parse_week


@dataclass(frozen=True)
class Process:
    """A manufacturing process: the category of every part made with it.

    `lot` is the median of units per order line. Demand swings by ± `swing` (in logs) over the year and is
    highest around day `peak_day`. `unit_cost` and `hours_per_unit` are those of a typical manufacturer.
    """

    name: str
    share: float
    unit_cost: float
    hours_per_unit: float
    lot: float
    swing: float
    peak_day: int


@dataclass(frozen=True)
class Region:
    """A region: the chance that a part is sold there, how much of it, and the level of costs (EU is 1)."""

    name: str
    reach: float
    size: float
    cost_level: float


PROCESSES = (
    Process("CNC machining", 0.28, 42.0, 0.30, 14, 0.20, 290),
    Process("Sheet metal", 0.22, 18.0, 0.12, 28, 0.22, 130),
    Process("3D printing", 0.20, 26.0, 0.25, 10, 0.30, 320),
    Process("Injection moulding", 0.16, 6.0, 0.03, 90, 0.26, 235),
    Process("Casting", 0.14, 35.0, 0.20, 18, 0.20, 80),
)

REGIONS = (
    Region("EU", 0.85, 1.00, 1.00),
    Region("UK", 0.50, 0.55, 1.08),
    Region("US", 0.72, 0.90, 1.05),
    Region("APAC", 0.45, 0.65, 0.80),
)

#: Pairs of regions with one week of transit; all other pairs take two.
NEAR = frozenset({frozenset({"EU", "UK"})})

#: Where each manufacturer is and which processes it runs; M01, M02, … in this order.
MANUFACTURERS = (
    ("EU", ("CNC machining", "Sheet metal")),
    ("EU", ("CNC machining",)),
    ("EU", ("3D printing", "Injection moulding")),
    ("EU", ("Casting", "CNC machining")),
    ("EU", ("Sheet metal", "Casting")),
    ("UK", ("CNC machining", "3D printing")),
    ("UK", ("Sheet metal", "Injection moulding")),
    ("US", ("CNC machining", "Sheet metal", "Casting")),
    ("US", ("3D printing",)),
    ("US", ("Injection moulding", "Sheet metal")),
    ("US", ("CNC machining", "3D printing")),
    ("APAC", ("Injection moulding", "Casting")),
    ("APAC", ("CNC machining", "3D printing")),
    ("APAC", ("Sheet metal", "Casting", "Injection moulding")),
)


@dataclass(frozen=True)
class Marketplace:
    """Settings of a synthetic marketplace.

    With the same `seed` a longer history is the shorter one with weeks added: the order files of a week do
    not depend on `weeks`, so that a demo can let "next week's orders" arrive. The default history ends where
    the autumn peak begins, when plans have most to decide.
    """

    first_week: date = date(2023, 6, 5)
    weeks: int = 120
    parts: int = 120
    lines_per_week: int = 1800
    seed: int = 7

    def __post_init__(self) -> None:
        parse_week(self.first_week.isoformat())
        for field in ("weeks", "parts", "lines_per_week"):
            if (value := getattr(self, field)) < 1:
                raise ValueError(f"Marketplace.{field} is {value}: give at least 1")
        if self.seed < 0:
            raise ValueError(f"Marketplace.seed is {self.seed}: give 0 or more")

    @property
    def week_starts(self) -> list[date]:
        return [self.week(i) for i in range(self.weeks)]

    def rng(self, purpose: str, week: int = 0) -> np.random.Generator:
        """Generator of one kind of draws: one draw more of a kind leaves the other kinds as they were."""
        return np.random.default_rng([self.seed, week, *purpose.encode()])

    def week(self, index: int) -> date:
        """Monday of week number `index`, counted from 0."""
        return add_weeks(self.first_week, index)


def holds_day(week: date, month: int, day: int) -> bool:
    """Whether the week that begins on `week` holds this day of the year."""
    days = (week + timedelta(days=i) for i in range(7))
    return any((d.month, d.day) == (month, day) for d in days)
