"""Costs besides production and transport, the rules of the marketplace, and how it plans."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0, le=1)]
Units = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]
Multiple = Annotated[float, Field(gt=0)]


class ShortagePrice(BaseModel):
    """What one unit not delivered costs, as an absolute price: the most specific entry for a part counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    default: Price | None = Field(
        None,
        description="Price of a unit of every other part; `shortage_price = 100` in `[allocation]` sets only this one",
    )
    category: dict[str, Price] = Field(default_factory=dict, description="By part category")
    part: dict[str, Price] = Field(default_factory=dict, description="By part")


class Priority(BaseModel):
    """How much more (or less) shortage and lateness of some units count; multiples of one unit are multiplied."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    part: dict[str, Multiple] = Field(default_factory=dict, description="By part")
    category: dict[str, Multiple] = Field(default_factory=dict, description="By part category")
    region: dict[str, Multiple] = Field(
        default_factory=dict,
        description="By region of delivery; multiples that apply to one unit are multiplied",
    )


class AllocationPolicy(BaseModel):
    """The prices and limits of the plan, relative to cost or price where they can, to hold in any currency.

    The *unit value* of a demand class is its mean unit price, weighted by quantity. A part without a price is
    valued like the others of its category due in its region and week; where none of them has one, at the
    most expensive on-time way to make and move a unit.
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
    obsolescence: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Loss of value of one finished unit in stock in one week, as a share of its production cost",
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
        description="Cost of one unit not delivered at all, as a multiple of its unit value, without shortage_price",
    )
    shortage_floor: bool = Field(
        True,
        description=(
            "Whether shortage_cost multiplies the most expensive on-time way to make and move the unit where that "
            "is more than its value, so that no on-time production is more expensive than a shortage. Ways without "
            "hours do not count. Has no effect on parts with a shortage_price"
        ),
    )
    shortage_price: ShortagePrice = Field(
        ShortagePrice(),
        description=(
            "Price of one unit not delivered at all, in place of shortage_cost: a number for every unit, or a table "
            "with default, category and part; a part counts before its category. An order that costs more to make "
            "is declined"
        ),
    )
    priority: Priority = Field(
        Priority(),
        description=(
            "Multiples of the prices of shortage and lateness, in tables by part, category and region; several "
            "that apply to a unit are multiplied"
        ),
    )
    value_bands: int = Field(
        10,
        ge=1,
        description=(
            "Most bands of unit price in a category: within a band parts are planned as one, and more expensive "
            "bands are served first. Exact where a category has no more prices than bands; with 10 bands plans cost "
            "less than 0.5 % more than with a band for each price. Parts with prices or priorities of their own "
            "have bands of their own"
        ),
    )
    whole_units: bool = Field(
        True,
        description=(
            "Whether the rows of the plan are whole units: the exact amounts of the cheapest plan (plan_flows) "
            "rounded so that totals are kept and no manufacturer works over its hours"
        ),
    )

    # Rules of the marketplace; each is off unless set.
    minimum_load: dict[str, Share] = Field(
        default_factory=dict,
        description="By manufacturer: share of its regular hours over the horizon that it must be given",
    )
    maximum_share: dict[str, Share] = Field(
        default_factory=dict,
        description="By part category: share of its demand over the horizon that one manufacturer may make",
    )
    minimum_batch: dict[str, Units] = Field(
        default_factory=dict,
        description="By part category: units that a manufacturer makes in a week, or none (integer program)",
    )
    activation_costs: bool = Field(
        True,
        description="Whether manufacturers.csv's activation_cost is counted (integer program where above 0)",
    )
    frozen_weeks: int = Field(
        0, ge=0, description="First production weeks in which changes to the previous plan are penalised"
    )
    change_penalty: float = Field(
        0.5,
        ge=0,
        description="Penalty for a unit added or dropped there, as a share of its production cost",
    )

    # How the program is solved.
    time_limit: float = Field(
        300.0,
        gt=0,
        description="Seconds that solving may take; then an integer program ends with the best plan so far, and a "
        "linear one with an error",
    )
    mip_gap: float = Field(1e-4, ge=0, description="Relative gap at which an integer program is done")

    # What is planned for.
    uncertainty: Literal["deterministic", "quantile", "stochastic", "auto"] = Field(
        "deterministic",
        description=(
            "Plan for the mean, for the quantile `service_level` of each demand class, or for scenarios: what "
            "is made for a region in the first weeks is committed now; which week it serves, and what is made "
            "later, is decided when demand is known. auto: what would have cost least in the past weeks"
        ),
    )
    service_level: float = Field(
        0.8, gt=0, lt=1, description="Quantile of demand that is planned for, but no less than its mean"
    )
    scenarios: int = Field(30, ge=2, description="Scenarios of demand")
    seed: int = Field(0, ge=0, description="Seed of the scenarios")
    part_correlation: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Correlation of the forecast errors of two series in one week; learnt from earlier forecasts, by "
        "category and region, if not set",
    )
    week_correlation: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Correlation of the forecast errors of a series in two successive weeks; likewise learnt if not "
        "set",
    )
    committed_weeks: int = Field(1, ge=1, description="Production weeks that the stochastic plan commits now")
    risk: Literal["expected", "cvar"] = Field(
        "expected", description="Minimise the expected cost, or the mean cost of the worst scenarios"
    )
    cvar_level: float = Field(
        0.9, gt=0, lt=1, description="Level of the CVaR: 0.9 is the worst tenth of the scenarios"
    )

    @field_validator("shortage_price", mode="before")
    @classmethod
    def _one_price(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"default": value} if is_number else value

    @property
    def keeping_cost(self) -> float:
        """Cost of keeping one finished unit one week, as a share of its production cost: holding and obsolescence."""
        return self.holding_cost + self.obsolescence

    def without_rules(self) -> "AllocationPolicy":
        """Return a policy with the same costs and uncertainty, but without rules of the marketplace and price bands."""
        off = {"minimum_load": {}, "maximum_share": {}, "minimum_batch": {}, "frozen_weeks": 0}
        return self.model_copy(
            update={**off, "activation_costs": False, "value_bands": 1, "whole_units": False}
        )

    def certain(self) -> "AllocationPolicy":
        """Return the same policy for demand that is known."""
        return self.model_copy(update={"uncertainty": "deterministic"})
