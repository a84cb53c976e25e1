"""Answers to inquiries as text and tables."""

from collections.abc import Sequence

from forecasting_assets.allocation import Answer, Displacement, Offer, OfferLine
from forecasting_assets.reporting.formats import MISSING, number
from forecasting_assets.wording import listed

#: Displaced demand that is named; the rest is counted.
_MOST_DISPLACED = 8
#: Heading of `answer_rows`.
ANSWER_HEADING = ("part", "region", "units", "by", "earliest", "cost", "cheapest", "cost", "made by", "note")


def answer_text(answer: Answer) -> str:
    """Return the answer to one inquiry in words, over several lines."""
    inquiry = answer.inquiry
    until = f" by week {inquiry.by}" if inquiry.by else ""
    lines = [f"{_units(inquiry.quantity)} of part {inquiry.part_id} for {inquiry.region}{until}:"]
    if answer.why:
        lines.append(f"  Not on free capacity: {answer.why}.")
    for name, offer in (("Earliest", answer.earliest), ("Cheapest", answer.cheapest)):
        if offer is not None:
            lines += _offer_text(name, offer)
    if answer.displacement is not None:
        lines += _displacement_text(answer.displacement, inquiry.quantity)
    return "\n".join(lines)


def answer_rows(answers: Sequence[Answer]) -> list[tuple[str, ...]]:
    """Return a row for each answer, below ANSWER_HEADING; `made by` is of the offer that is taken."""
    return [
        (
            answer.inquiry.part_id,
            answer.inquiry.region,
            number(answer.inquiry.quantity),
            str(answer.inquiry.by or MISSING),
            *_week_and_cost(answer.earliest),
            *_week_and_cost(answer.cheapest),
            listed([_source(line) for line in answer.taken.lines], 3) if answer.taken else MISSING,
            _note(answer),
        )
        for answer in answers
    ]


def _offer_text(name: str, offer: Offer) -> list[str]:
    proof = "not proved" if offer.certificate.violations else "proved: no delivery in that week costs less"
    lines = [f"  {name}: in week {offer.week} for {number(offer.cost, 2)} ({proof})"]
    lines += [f"    {_line_text(line)}" for line in offer.lines]
    if offer.activation_cost:
        lines.append(f"    fixed cost of manufacturers not used so far: {number(offer.activation_cost, 2)}")
    return lines


def _line_text(line: OfferLine) -> str:
    if line.manufacturer_id is None:
        return f"{_units(line.quantity)} from stock, available in week {line.arrival_week}"
    overtime = f", {number(line.overtime_quantity, 1)} of them in overtime" if line.overtime_quantity else ""
    costs = (
        ("production", line.production_cost),
        ("overtime", line.overtime_cost),
        ("transport", line.lane_cost),
        ("holding", line.holding_cost),
    )
    parts = ", ".join(f"{name} {number(cost, 2)}" for name, cost in costs if cost)
    return (
        f"{_units(line.quantity)} from {line.manufacturer_id}, made in week {line.production_week}{overtime}, there in "
        f"week {line.arrival_week}: {parts}"
    )


def _displacement_text(displacement: Displacement, asked: float) -> list[str]:
    if displacement.units < asked:
        return [
            f"  Even before all other demand, at most {_units(displacement.units)} can be delivered by then."
        ]
    lines = [
        f"  Before other demand: for {number(displacement.own_cost, 2)}, and {number(displacement.extra_cost, 2)} more "
        "for other demand"
    ]
    named = [
        f"{number(d.quantity, 1)} of {d.part_category} for {d.region}, due {d.due_week}, become {d.kind}"
        for d in displacement.displaced
    ]
    lines += [f"    {text}" for text in named[:_MOST_DISPLACED]]
    if len(named) > _MOST_DISPLACED:
        lines.append(f"    and {len(named) - _MOST_DISPLACED} more")
    return lines if named else [*lines, "    nothing becomes late or short"]


def _note(answer: Answer) -> str:
    if answer.displacement is None:
        return answer.why
    if answer.displacement.units < answer.inquiry.quantity:
        return f"{answer.why}; at most {_units(answer.displacement.units)} before other demand"
    return f"{answer.why}; before other demand for {number(answer.displacement.extra_cost, 2)} more"


def _week_and_cost(offer: Offer | None) -> tuple[str, str]:
    return (MISSING, MISSING) if offer is None else (str(offer.week), number(offer.cost, 2))


def _source(line: OfferLine) -> str:
    return f"{line.manufacturer_id or 'stock'} ({number(line.quantity)})"


def _units(quantity: float) -> str:
    text = number(quantity, 0 if float(quantity).is_integer() else 2)
    return f"{text} unit" if text == "1" else f"{text} units"
