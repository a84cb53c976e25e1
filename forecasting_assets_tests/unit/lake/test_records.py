import pytest

from forecasting_assets.lake.records import Failure, Record, differences, fingerprint


def test_a_record_is_what_was_written():
    record = Record(
        "v", {"demand": {"2024-03-04": "a"}}, "12ab", "12-34", {"unique": "2 twice"}, Failure("r", "why")
    )
    assert Record.from_json(record.to_json()) == record
    assert Record.from_json(Record().to_json()) == Record()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "v"}', '{"failure": null, "other": 1}'])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ValueError, match=r"record|JSON|Expecting"):
        Record.from_json(text)


def test_differences_say_what_changed_came_and_went():
    before = {"files": {"a": "1", "b": "1"}, "settings": {"calendar": "1"}}
    now = {"files": {"a": "2", "c": "1"}, "settings": {"calendar": "1"}}
    assert differences(before, now) == ["files changed: a", "files new: c", "files removed: b"]
    assert differences(now, now) == []
    many = {"files": dict.fromkeys("defgh", "1")}
    assert differences({}, many) == ["files new: d, e, f and 2 more"]


def test_a_fingerprint_does_not_depend_on_the_order_of_names():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})
