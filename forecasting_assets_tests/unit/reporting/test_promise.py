"""Answers to inquiries in words."""

from datetime import date

from forecasting_assets.allocation import Answer, Certificate, Displacement, Inquiry, Offer, OfferLine
from forecasting_assets.allocation.displacement import Displaced
from forecasting_assets.reporting import ANSWER_HEADING, answer_rows, answer_text

WEEK = date(2024, 1, 8)
PROVED = Certificate(52.0, 52.0, 0.0, "duality", ())
OFFER = Offer(
    WEEK,
    (
        OfferLine(None, None, date(2024, 1, 1), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        OfferLine("M1", date(2024, 1, 1), WEEK, 1200.0, 2.5, 40.0, 10.0, 2.0, 0.0),
    ),
    0.0,
    52.0,
    PROVED,
)


def test_an_offer_names_its_sources_and_costs():
    text = answer_text(Answer(Inquiry("a", "EU", 1201.0), "cnc", OFFER, OFFER))
    assert "1,201 units of part a for EU" in text
    assert "Earliest: in week 2024-01-08 for 52.00 (proved" in text
    assert "1 unit from stock" in text
    assert "1,200 units from M1, made in week 2024-01-01, 2.5 of them in overtime" in text
    assert "production 40.00, overtime 10.00, transport 2.00" in text


def test_what_is_displaced_is_named():
    displaced = tuple(Displaced("late", "cnc", f"R{i}", WEEK, 3.0) for i in range(10))
    answer = Answer(
        Inquiry("a", "EU", 5.0, WEEK),
        "cnc",
        why="no hours",
        displacement=Displacement(5.0, displaced, 7.0, 2.5, 0.0),
    )
    text = answer_text(answer)
    assert "Not on free capacity: no hours." in text
    assert "for 7.00, and 2.50 more for other demand" in text
    assert "3.0 of cnc for R0, due 2024-01-08, become late" in text
    assert "and 2 more" in text
    too_many = Answer(Inquiry("a", "EU", 5.0, WEEK), "cnc", displacement=Displacement(4.0, (), 7.0, 2.5, 0.0))
    assert "at most 4 units" in answer_text(too_many)


def test_a_table_has_a_row_for_each_answer():
    rows = answer_rows(
        [Answer(Inquiry("a", "EU", 1201.0), "cnc", OFFER, OFFER), Answer(Inquiry("b", "EU", 1.0), "")]
    )
    assert [len(row) for row in rows] == [len(ANSWER_HEADING)] * 2
    assert rows[0][4:9] == ("2024-01-08", "52.00", "2024-01-08", "52.00", "stock (1), M1 (1,200)")
