"""What a plan starts from: the hours there are, the plan before, and units in stock and on their way."""

from dataclasses import dataclass

import pandas as pd

from forecasting_assets.allocation.arguments import check_previous, check_supply


@dataclass(frozen=True)
class PlanningState:
    """What a plan starts from.

    Attributes
    ----------
    capacity
        Hours of each manufacturer and production week, in the columns of `weekly_capacity`; by default those of the
        network from the first due week until the last demand is too late. Demand that is due before the first
        production week is overdue: it can still be met late.
    previous
        ALLOCATION_PLAN of the previous plan: changes to it in the frozen weeks are penalised.
    supply
        part_id, region, week, quantity: units in stock, or on their way, by the week in which they are available.
    locked
        LOCKED_ALLOCATIONS: production that is fixed.
    promised
        PROMISES that the plan keeps (`held.active_promises`): units held for customers.
    correlations
        ERROR_CORRELATIONS: how the errors of the forecast depend on each other, for plans for uncertain demand.

    Raises
    ------
    InputError
        If `previous` or `supply` cannot be planned with. `capacity` is checked by `build_instance`.
    """

    capacity: pd.DataFrame | None = None
    previous: pd.DataFrame | None = None
    supply: pd.DataFrame | None = None
    locked: pd.DataFrame | None = None
    promised: pd.DataFrame | None = None
    correlations: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        """Check the tables."""
        if self.previous is not None:
            check_previous(self.previous)
        if self.supply is not None:
            check_supply(self.supply)


#: Nothing is in stock or on its way, and there is no plan before.
NEW_START = PlanningState()
