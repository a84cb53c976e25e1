"""Settings, processes, regions and manufacturers of the synthetic marketplace.

Constants and settings only: `demand` has what customers order, `network` who can make it.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from forecasting_assets.weeks import add_weeks, days_of, parse_week


@dataclass(frozen=True)
class Process:
    """Manufacturing process, which is the category of the parts made with it.

    Attributes
    ----------
    name
        Name of the category.
    share
        Share of all parts.
    unit_cost, hours_per_unit
        Cost and hours of one unit at a typical manufacturer.
    lot
        Median units per order line.
    swing
        Amplitude of the yearly season, in logs.
    peak_day
        Day of the year with the highest demand.
    urgent
        Share of orders that are wanted at once.
    lead_days
        Mean days from an order to its due date, of the other orders.
    """

    name: str
    share: float
    unit_cost: float
    hours_per_unit: float
    lot: float
    swing: float
    peak_day: int
    urgent: float
    lead_days: float


@dataclass(frozen=True)
class Region:
    """Region of customers and manufacturers.

    Attributes
    ----------
    name
        Name of the region.
    reach
        Probability that a part is sold there.
    size
        Demand relative to the EU.
    cost_level
        Costs relative to the EU.
    """

    name: str
    reach: float
    size: float
    cost_level: float


PROCESSES = (
    Process("CNC machining", 0.28, 42.0, 0.30, 14, 0.20, 290, 0.15, 22.0),
    Process("Sheet metal", 0.22, 18.0, 0.12, 28, 0.22, 130, 0.15, 18.0),
    Process("3D printing", 0.20, 26.0, 0.25, 10, 0.30, 320, 0.30, 14.0),
    Process("Injection moulding", 0.16, 6.0, 0.03, 90, 0.26, 235, 0.05, 30.0),
    Process("Casting", 0.14, 35.0, 0.20, 18, 0.20, 80, 0.08, 28.0),
)

REGIONS = (
    Region("EU", 0.85, 1.00, 1.00),
    Region("UK", 0.50, 0.55, 1.08),
    Region("US", 0.72, 0.90, 1.05),
    Region("APAC", 0.45, 0.65, 0.80),
)

#: Pairs of regions with one week of transit; for all other pairs it takes two.
NEAR = frozenset({frozenset({"EU", "UK"})})

#: Region and processes of each manufacturer; M01, M02, … in this order.
SITES = (
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

    With the same seed, a longer history is a shorter one with more weeks: the order files of a week do not depend
    on the number of weeks, so that a demo can let the orders of the next week arrive. The default history ends at
    the beginning of the autumn peak, when plans matter most.

    Attributes
    ----------
    first_week
        Monday of the first week.
    weeks
        Number of weeks.
    parts
        Number of parts.
    lines_per_week
        Approximate number of order lines a week.
    seed
        Seed of all random draws.
    due_dates
        Whether orders say when customers want them.
    """

    first_week: date = date(2023, 6, 5)
    weeks: int = 120
    parts: int = 120
    lines_per_week: int = 1800
    seed: int = 7
    due_dates: bool = True

    def __post_init__(self) -> None:
        """Check the settings."""
        parse_week(self.first_week.isoformat())
        for field in ("weeks", "parts", "lines_per_week"):
            if (value := getattr(self, field)) < 1:
                raise ValueError(f"Marketplace.{field} is {value}: it must be at least 1")
        if self.seed < 0:
            raise ValueError(f"Marketplace.seed is {self.seed}: it must be at least 0")

    @property
    def week_starts(self) -> list[date]:
        """Mondays of all weeks."""
        return [self.week(i) for i in range(self.weeks)]

    def rng(self, purpose: str, week: int = 0) -> np.random.Generator:
        """Return the random generator of one purpose, so that draws for one do not change those for others."""
        return np.random.default_rng([self.seed, week, *purpose.encode()])

    def week(self, index: int) -> date:
        """Return the Monday of week number `index`, counted from 0."""
        return add_weeks(self.first_week, index)


def holds_day(week: date, month: int, day: int) -> bool:
    """Return whether a week includes a day of the year."""
    return any((d.month, d.day) == (month, day) for d in days_of(week))
