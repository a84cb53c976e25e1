"""Answer inquiries on the capacity that the newest plan leaves, and hold what is promised.

Examples
--------
answered = answer_inquiries(settings, Lake(settings.lake_path), [Inquiry("P-001", "EU", 50)], hold_days=14)
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from forecasting_assets.allocation import (
    Answer,
    CapableToPromise,
    Inquiry,
    PublishedPlan,
    promised_rows,
    spelled_as_orders,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.promises import write_promises
from forecasting_assets.pipeline import HELD
from forecasting_assets.settings import Settings
from forecasting_assets.storage import exclusive_lock
from forecasting_assets.tables import ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES
from forecasting_assets.weeks import add_weeks, days_of
from forecasting_assets.workflows.planning import planning_inputs


class NoPlanError(ValueError):
    """There is no plan whose capacity could be promised."""


@dataclass(frozen=True)
class PromiseDesk:
    """The newest plan, opened for inquiries.

    Attributes
    ----------
    week
        Week of the plan.
    today
        Day on which promises are entered. It lies in the week after that of the plan, because the next plan reads the
        promises entered by the end of that week.
    capacity
        What inquiries are answered from.
    """

    week: date
    today: date
    capacity: CapableToPromise

    def answer_in_turn(self, inquiries: Sequence[Inquiry]) -> list[Answer]:
        """Answer inquiries one after the other; each finds taken what the ones before took."""
        return self.capacity.answer_in_turn(inquiries)


def open_desk(settings: Settings, lake: Lake, today: date | None = None) -> PromiseDesk:
    """Load the newest plan and the promises that were made since.

    Parameters
    ----------
    settings
        Settings of the home.
    lake
        Its tables.
    today
        The day, by default the current one in UTC. A day outside the week after the plan counts as the nearest day of
        that week.

    Raises
    ------
    NoPlanError
        If nothing has been planned.
    PlanningFileError
        If a planning file cannot be used.
    """
    planned = lake.existing_weeks(ALLOCATION_PLAN)
    if not planned:
        raise NoPlanError("nothing has been planned yet: run forecasting-assets materialize first")
    week = planned[-1]
    inputs = planning_inputs(settings, lake, week)
    published = PublishedPlan(
        *(lake.read_pandas(table, [week]) for table in (ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES))
    )
    capacity = CapableToPromise.of_plan(inputs.demand, inputs.network, inputs.policy, inputs.state, published)
    following = days_of(add_weeks(week, 1))
    day = min(max(today or datetime.now(UTC).date(), following[0]), following[-1])
    promises = PlanningFolder.of(settings).used_by(add_weeks(week, 1), HELD)
    since = (promises["entered"] >= pd.Timestamp(following[0])) & (promises["expires"] >= pd.Timestamp(day))
    return PromiseDesk(week, day, capacity.keeping(promises[since].reset_index(drop=True)))


@dataclass(frozen=True)
class Hold:
    """Promises that were written to the planning folder.

    Attributes
    ----------
    promise_ids
        Name of the promise of each answer; None where nothing could be offered.
    expires
        Last day on which they are held.
    file
        Where they were written; None if nothing could be offered.
    """

    promise_ids: tuple[str | None, ...]
    expires: date
    file: str | None


def hold(settings: Settings, desk: PromiseDesk, answers: Sequence[Answer], days: int) -> Hold:
    """Hold the offers that answers take, so that the next plans respect them until they expire.

    Parameters
    ----------
    settings
        Settings of the home.
    desk
        The desk that gave the answers.
    answers
        The answers.
    days
        Days for which the offers are held, from the day of the desk.
    """
    name = f"{desk.today:%Y%m%d}-{uuid.uuid4().hex[:8]}"
    ids = [f"{name}-{n}" if answer.taken else None for n, answer in enumerate(answers, start=1)]
    expires = desk.today + timedelta(days=days)
    reason = f"Held for {days} days"
    tables = [
        promised_rows(answer, promise_id, desk.today, expires, reason)
        for answer, promise_id in zip(answers, ids, strict=True)
        if promise_id is not None
    ]
    file = None
    if tables:
        file = write_promises(pd.concat(tables, ignore_index=True), settings.planning_path, name)
    return Hold(tuple(ids), expires, file)


@dataclass(frozen=True)
class AnsweredInquiries:
    """Answers to inquiries, and what is held of them.

    Attributes
    ----------
    week
        Week of the plan that they are answered from.
    answers
        The answers, in the order of the inquiries.
    held
        The promises that hold them; None if none was asked for.
    """

    week: date
    answers: list[Answer]
    held: Hold | None


def answer_inquiries(
    settings: Settings,
    lake: Lake,
    inquiries: Sequence[Inquiry],
    hold_days: int | None = None,
    on_wait: Callable[[], None] | None = None,
) -> AnsweredInquiries:
    """Answer inquiries one after the other, and hold what is offered for `hold_days` if it is given.

    What is held is answered under a lock of the planning folder, so that two people cannot be promised the same hours.
    `on_wait` is called before waiting for it.

    Raises
    ------
    NoPlanError, PlanningFileError
        As `open_desk`.
    """
    lock = exclusive_lock(settings.planning_path, "promises", on_wait) if hold_days else nullcontext()
    with lock:
        desk = open_desk(settings, lake)
        answers = desk.answer_in_turn(spelled_as_orders(inquiries, settings.orders.fold_case))
        held = hold(settings, desk, answers, hold_days) if hold_days else None
    return AnsweredInquiries(desk.week, answers, held)
