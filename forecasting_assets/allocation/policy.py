"""What the marketplace counts as expensive besides making and moving parts."""

from pydantic import BaseModel, ConfigDict, Field


class AllocationPolicy(BaseModel):
    """The prices and limits of the plan, all relative to cost or price, so that they hold in any currency.

    The *unit value* of a demand class is its mean unit price, weighted by quantity; where no price is known
    it is the dearest on-time way to make and move one unit of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    lateness_penalty: float = Field(
        0.10, ge=0, description="Penalty for one unit one week late, as a share of its unit value"
    )
    holding_cost: float = Field(
        0.005,
        ge=0,
        description="Cost of holding one finished unit one week, as a share of its production cost",
    )
    max_weeks_early: int = Field(
        3, ge=0, le=52, description="Weeks a unit may arrive before it is due, at most"
    )
    max_weeks_late: int = Field(
        2, ge=0, le=52, description="Weeks a unit may arrive after it is due, at most"
    )
    shortage_cost: float = Field(
        2.0,
        gt=1,
        description=(
            "Cost of one unit not delivered at all, as a multiple of its unit value or of the dearest "
            "on-time way to make and move it, whichever is more, so that no on-time production is dearer"
        ),
    )
