from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.orders.dates import parse_moments, weeks_of_dates
from forecasting_assets.orders.formats import DateOrder
from forecasting_assets.weeks import week_of


def moments(order: DateOrder, *texts: str | None) -> list[datetime | None]:
    return parse_moments(pa.array(texts, pa.string()), order).to_pylist()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-04", datetime(2024, 3, 4)),
        (" 2024-03-04\u00a0", datetime(2024, 3, 4)),
        ("2024-03-04T10:15", datetime(2024, 3, 4, 10, 15)),
        ("2024-03-04 10:15:30.5", datetime(2024, 3, 4, 10, 15, 30, 500000)),
        ("2024-03-04T10:15:30,5", datetime(2024, 3, 4, 10, 15, 30, 500000)),
        ("2024-03-04T10:15:00.123456789Z", datetime(2024, 3, 4, 10, 15, 0, 123456)),
        ("2024-03-04T10:15:00z", datetime(2024, 3, 4, 10, 15)),
        ("2024-03-04T23:30:00-02:00", datetime(2024, 3, 5, 1, 30)),
        ("2024-03-04 10:00:00.123+00", datetime(2024, 3, 4, 10, 0, 0, 123000)),
        ("2024-03-09 23:30:00-05", datetime(2024, 3, 10, 4, 30)),
        ("2024-03-11 01:00+0530", datetime(2024, 3, 10, 19, 30)),
        ("2024-03-04 10:00:00 UTC", datetime(2024, 3, 4, 10)),
        ("20240304", datetime(2024, 3, 4)),
        ("20240304T101500Z", datetime(2024, 3, 4, 10, 15)),
    ],
)
@pytest.mark.parametrize("order", ["iso", "day_first", "month_first"])
def test_iso_8601_is_read_with_every_date_order(order, text, moment):
    assert moments(order, text) == [moment.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    [
        "2024", "2024-03", "04/03/2024", "2024-02-30", "20240230", "yesterday", "", None, "2024-3-4",
        "2024-03-04 25:00", "2024-03-04 12:60", "2024-W10", "45000", "9999-12-31", "0001-01-01", "٢٠٢٤-03-04",
        "2024-03-04 10:00+99",
    ],
)  # fmt: skip
def test_other_texts_are_not_iso_dates(text):
    assert moments("iso", text) == [None]
    # Nor does it keep others from being read.
    assert moments("iso", "2024-03-04", text) == [datetime(2024, 3, 4, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("order", "text", "moment"),
    [
        ("month_first", "3/14/2024", datetime(2024, 3, 14)),
        ("month_first", "2/24/2003 0:00", datetime(2003, 2, 24)),
        ("month_first", "3/14/2024 1:05 PM", datetime(2024, 3, 14, 13, 5)),
        ("month_first", "3/14/2024 12:05:09 am", datetime(2024, 3, 14, 0, 5, 9)),
        ("month_first", "03-04-24", datetime(2024, 3, 4)),
        ("day_first", "03.04.2024", datetime(2024, 4, 3)),
        ("day_first", "3/4/2024", datetime(2024, 4, 3)),
        ("day_first", "31-12-1999 23:59", datetime(1999, 12, 31, 23, 59)),
        ("day_first", "1.1.69", datetime(1969, 1, 1)),
    ],
)
def test_the_date_order_decides_which_number_is_the_day(order, text, moment):
    assert moments(order, text) == [moment.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("month_first", "14/3/2024"),
        ("day_first", "3/14/2024"),
        ("day_first", "3/4.2024"),
        ("day_first", "3 4 2024"),
        ("month_first", "3/14/2024 13:05 PM"),
        ("month_first", "3/14/2024 0:05 AM"),
        ("month_first", "2/30/2024"),
        ("month_first", "3/4"),
        ("iso", "3/14/2024"),
    ],
)
def test_texts_that_do_not_fit_the_date_order_are_not_dates(order, text):
    assert moments(order, text) == [None]


_DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


@settings(deadline=None)
@given(
    st.sampled_from(["iso", "day_first", "month_first"]),
    st.lists(
        st.one_of(
            st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(datetime.isoformat),
            st.builds("{0.month}/{0.day}/{0.year}".format, _DAYS),
            st.builds(
                "{} {}{}".format,
                _DAYS,
                st.sampled_from(["00:00", "23:59:59.5", "24:00", "12:60", "7:30", "23:59:60"]),
                st.sampled_from(["", "Z", "-02:00", "+0530", " "]),
            ),
            st.sampled_from([" 2024-03-04 ", "2024-02-30", "0000-01-01", "2200-01-06", "", None]),
        )
    ),
)
def test_weeks_of_dates_equal_the_weeks_of_parsed_moments(order, texts):
    expected = [moment and week_of(moment) for moment in moments(order, *texts)]
    assert weeks_of_dates(pa.array(texts, pa.string()), order).to_pylist() == expected


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    st.sampled_from(["/", ".", "-"]),
    st.booleans(),
    st.integers(-12, 12),
)
def test_dates_are_read_back_as_written(moment, sign, short, offset):
    year = f"{moment:%y}" if short else f"{moment:%Y}"
    clock = f"{moment:%H:%M:%S}{'+' if offset >= 0 else '-'}{abs(offset):02}:00"
    utc = (moment - timedelta(hours=offset)).replace(tzinfo=UTC)
    day, month = str(moment.day), f"{moment:%m}"
    assert moments("day_first", f"{day}{sign}{month}{sign}{year} {clock}") == [utc]
    assert moments("month_first", f"{month}{sign}{day}{sign}{year} {clock}") == [utc]
