"""Inquiries in turn: what can be offered for each, after those before it have taken their offers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from forecasting_assets.allocation.displacement import Baseline, Displacement
from forecasting_assets.allocation.free_capacity import FreeCapacity, Inquiry, Offer, unused_supply
from forecasting_assets.allocation.instance import build_instance
from forecasting_assets.allocation.network import Network, servable
from forecasting_assets.allocation.optimal import build_problem
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.problem import Problem
from forecasting_assets.allocation.promise import find_offers
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.errors import PicklableError
from forecasting_assets.orders.text import WHITE_SPACE, normalise_ids, normalise_names
from forecasting_assets.tables import PROMISES, SERIES
from forecasting_assets.tables.frames import category_of
from forecasting_assets.tables.table_files import separator_hint
from forecasting_assets.weeks import WeekError, parse_week

#: Parts that an unknown one is compared with, to name one that may be meant.
_COMPARED_PARTS = 5_000


class InquiryError(PicklableError, ValueError):
    """An inquiry that cannot be answered as it is written.

    Attributes
    ----------
    field
        Name of the field.
    row
        Row in the file, where the header is row 1; None if it does not come from a file.
    message
        What is wrong with it; `more` are the same of further rows, with their places.
    """

    def __init__(self, field: str, message: str, row: int | None = None, more: Sequence[str] = ()) -> None:
        place = f"row {row}, column {field}" if row else field
        super().__init__("\n".join([f"{place}: {message}", *more]))
        self.field, self.message, self.row = field, message, row


def parse_inquiry(part: str, region: str, quantity: str, by: str = "", row: int | None = None) -> Inquiry:
    """Parse the fields of an inquiry.

    Parameters
    ----------
    part, region
        Part and region of delivery.
    quantity
        Units, above 0.
    by
        Monday of the latest week as YYYY-MM-DD; empty if any week will do.
    row
        Row in the file that they come from.

    Raises
    ------
    InquiryError
        With the field, and what would be right.
    """
    for field, text in (("part_id", part), ("region", region)):
        if not text.strip(WHITE_SPACE):
            raise InquiryError(field, "it is empty; name one", row)
    try:
        units = float(quantity)
    except ValueError:
        units = float("nan")
    if not (np.isfinite(units) and units > 0):
        raise InquiryError("quantity", f"{quantity!r} is not a number above 0", row)
    try:
        week = parse_week(by.strip()) if by.strip() else None
    except WeekError as error:
        raise InquiryError("by", str(error), row) from None
    return Inquiry(part.strip(WHITE_SPACE), region.strip(WHITE_SPACE), units, week)


def parse_inquiries(table: pd.DataFrame) -> list[Inquiry]:
    """Parse a table of inquiries.

    Parameters
    ----------
    table
        Texts in the columns part_id, region, quantity and, if any has a latest week, by. Blank rows are left out.

    Raises
    ------
    InquiryError
        For a missing column, or all rows that are not valid.
    """
    for field in ("part_id", "region", "quantity"):
        if field not in table:
            found = ", ".join(map(str, table.columns))
            raise InquiryError(
                field, f"the column is missing; the file has {found}{separator_hint(table.columns, [field])}"
            )
    table = table.reindex(columns=["part_id", "region", "quantity", "by"]).fillna("").astype(str)
    rows = table.to_numpy(dtype=object).tolist()
    inquiries, errors = [], []
    for row, (part, region, quantity, by) in enumerate(rows, start=2):
        if not (part or region or quantity or by):
            continue
        try:
            inquiries.append(parse_inquiry(part, region, quantity, by, row))
        except InquiryError as error:
            errors.append(error)
    if errors:
        first, *others = errors
        raise InquiryError(first.field, first.message, first.row, list(map(str, others)))
    return inquiries


def spelled_as_orders(inquiries: Sequence[Inquiry], fold_case: bool) -> list[Inquiry]:
    """Write parts and regions of inquiries as the orders do.

    Parameters
    ----------
    inquiries
        The inquiries.
    fold_case
        Whether names that differ only by case or inner white space are one.
    """
    parts = normalise_ids(pa.array([i.part_id for i in inquiries], pa.string()), fold_case).to_pylist()
    regions = normalise_names(pa.array([i.region for i in inquiries], pa.string()), fold_case).to_pylist()
    return [
        replace(inquiry, part_id=part, region=region)
        for inquiry, part, region in zip(inquiries, parts, regions, strict=True)
    ]


@dataclass(frozen=True)
class Answer:
    """The answer to an inquiry.

    Attributes
    ----------
    inquiry
        The inquiry.
    part_category
        Category of its part; empty if the part is unknown.
    earliest, cheapest
        Offers on free capacity; None if there is none.
    why
        Why there is none; empty if there is one.
    displacement
        What serving the inquiry by its latest week would displace, if free capacity is not enough.
    """

    inquiry: Inquiry
    part_category: str
    earliest: Offer | None = None
    cheapest: Offer | None = None
    why: str = ""
    displacement: Displacement | None = None

    @property
    def taken(self) -> Offer | None:
        """The offer that later inquiries, and a hold, count as taken.

        The cheapest by the latest week that was asked for, else the earliest.
        """
        return self.earliest if self.inquiry.by is None else self.cheapest


@dataclass(frozen=True)
class PublishedPlan:
    """The tables of a plan that say what it leaves.

    Attributes
    ----------
    plan, capacity_load, shortages
        ALLOCATION_PLAN, CAPACITY_LOAD and PLAN_SHORTAGES.
    """

    plan: pd.DataFrame
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame


@dataclass(frozen=True)
class CapableToPromise:
    """What inquiries are answered from.

    Attributes
    ----------
    problem
        The problem of the plan.
    network
        The network of the plan.
    previous
        The plan before, if its first weeks are frozen.
    series
        part_id, region and part_category of everything with demand.
    free
        What the plan leaves.
    """

    problem: Problem
    network: Network
    previous: pd.DataFrame | None
    series: pd.DataFrame
    free: FreeCapacity

    @classmethod
    def of_plan(
        cls,
        demand: pd.DataFrame,
        network: Network,
        policy: AllocationPolicy,
        state: PlanningState,
        published: PublishedPlan,
    ) -> "CapableToPromise":
        """Return what inquiries are answered from after a plan.

        Parameters
        ----------
        demand, network, policy, state
            What the plan was made from, as for `optimal.allocate`.
        published
            The plan.
        """
        problem = build_problem(demand, network, policy, state)
        instance, supply = build_instance(demand, network, policy, state.capacity), state.supply
        if problem.fixed is not None:
            instance, supply = problem.fixed.reduced(instance), problem.fixed.own_supply
        stock = unused_supply(instance, supply, policy.max_weeks_late)
        series = demand[[*SERIES, "part_category"]].drop_duplicates(SERIES)
        # Hours after the last due week look free only because what is due then is not planned yet.
        load = published.capacity_load
        load = load[load["production_week"] <= demand["due_week"].max()].reset_index(drop=True)
        free = FreeCapacity.of_plan(published.plan, load, published.shortages, stock, series)
        return cls(problem, network, state.previous, series, free)

    def keeping(self, promises: pd.DataFrame) -> "CapableToPromise":
        """Return the same with promises kept that the plan does not know, in the columns of PROMISES."""
        return replace(self, free=self.free.without_promises(promises, self.network))

    @property
    def policy(self) -> AllocationPolicy:
        """Costs, limits and rules."""
        return self.problem.policy

    @cached_property
    def _parts(self) -> list[str]:
        """Names of some known parts, as comparing a name with very many takes long."""
        return self.series["part_id"].drop_duplicates().head(_COMPARED_PARTS).tolist()

    @cached_property
    def baseline(self) -> Baseline:
        """The plan without any inquiry, which displacement is compared with."""
        return Baseline.of(self.problem, self.network, self.previous, self.free)

    def answer_in_turn(self, inquiries: Sequence[Inquiry]) -> list[Answer]:
        """Answer inquiries one after the other; each finds taken what the ones before took."""
        asked = pd.DataFrame({name: [getattr(i, name) for i in inquiries] for name in SERIES}, dtype=object)
        free, answers = self.free, []
        for inquiry, category in zip(inquiries, category_of(asked, self.series).fillna(""), strict=True):
            answer = self._answer(inquiry, category, free)
            if answer.taken is not None:
                free = free.without(inquiry, answer.part_category, answer.taken, self.network)
            answers.append(answer)
        return answers

    def _answer(self, inquiry: Inquiry, category: str, free: FreeCapacity) -> Answer:
        """Answer an inquiry for a part of a category, empty if it is unknown, from what is left."""
        if not category:
            near = get_close_matches(inquiry.part_id, self._parts, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return Answer(
                inquiry, "", why=f"part {inquiry.part_id} is unknown: no demand of it is planned{hint}"
            )
        first = self.free.slots["production_week"].min()
        if inquiry.by is not None and pd.Timestamp(inquiry.by) < first:
            return Answer(
                inquiry,
                category,
                why=f"the week of {inquiry.by} is over: the plan begins on {first:%Y-%m-%d}",
            )
        offers = find_offers(inquiry, category, free, self.network, self.policy)
        displacement = None
        if offers.earliest is None and inquiry.by is not None and self._can_be_made(inquiry, category):
            displacement = self.baseline.displace(inquiry, inquiry.by, category, free)
        return Answer(inquiry, category, offers.earliest, offers.cheapest, offers.why, displacement)

    def _can_be_made(self, inquiry: Inquiry, category: str) -> bool:
        return (category, inquiry.region) in servable(self.network)


def promised_rows(answer: Answer, promise_id: str, entered: date, expires: date, reason: str) -> pd.DataFrame:
    """Return the rows of PROMISES that hold the offer taken; none if there is no offer.

    Parameters
    ----------
    answer
        The answer whose offer is held.
    promise_id
        Name of the promise.
    entered, expires
        First and last day on which the units are held.
    reason
        Why, for people.
    """
    lines = answer.taken.lines if answer.taken else ()
    rows = [
        {
            "promise_id": promise_id,
            "manufacturer_id": line.manufacturer_id,
            "part_id": answer.inquiry.part_id,
            "part_category": answer.part_category,
            "region": answer.inquiry.region,
            "production_week": line.production_week,
            "due_week": answer.taken.week if answer.taken else None,
            "quantity": line.quantity,
            "expires": expires,
            "reason": reason,
            "entered": entered,
        }
        for line in lines
    ]
    return pd.DataFrame(rows, columns=PROMISES.names)
