"""The sensor that tells people: each cause once, and again only if it was not sent or comes back."""

import json
from dataclasses import replace

import dagster as dg
import pytest

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.records import Failure
from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.runtime.messages import WEBHOOK, Channels, SendError
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import ALLOCATION_PLAN, RAW_ORDERS
from forecasting_assets.weeks import newest_closed_week
from forecasting_assets_tests.support.sensor import W1, made
from forecasting_assets_tests.support.sensor import zone as zone


@pytest.fixture
def messages(monkeypatch):
    """Collects messages in place of the network, which the tests of the channels use."""
    sent = []
    monkeypatch.setattr(Channels, "send", lambda channels, channel, title, text: sent.append((title, text)))
    return sent


@pytest.fixture
def home(zone):
    settings = zone.parents[1] / "forecasting.toml"
    settings.write_text(settings.read_text() + '[alerts]\nemail_to = ["planner@example.com"]\n')
    made(zone, [W1], RAW_ORDERS)
    made(zone, [newest_closed_week()], ALLOCATION_PLAN)
    return zone.parents[1]


def tick(home, instance, cursor=None):
    sensor = build_defs(load_settings(home)).resolve_sensor_def("alert_sensor")
    result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def fail(home, failure) -> None:
    freshness = freshness_of(load_settings(home))
    freshness.keep("raw_orders", W1, replace(freshness.record("raw_orders", W1), failure=failure))


def test_there_is_no_alert_sensor_unless_someone_is_to_be_told(zone):
    sensors = build_defs(load_settings(zone.parents[1])).sensors or []
    assert [sensor.name for sensor in sensors] == ["new_orders_sensor"]


def test_each_cause_is_told_once_and_again_when_it_comes_back(home, messages):
    with dg.DagsterInstance.ephemeral() as instance:
        fail(home, Failure("run-1", "the disk is full"))
        cursor = tick(home, instance).cursor
        assert tick(home, instance, cursor).skip_reason.skip_message == "Nothing new to tell."
        ((title, text),) = messages
        assert "raw_orders failed" in title
        assert "the disk is full" in text
        assert text.endswith("http://127.0.0.1:3000/runs/run-1")
        fail(home, None)
        assert json.loads(tick(home, instance, cursor).cursor) == []


def test_what_one_channel_refuses_is_tried_again_there_alone(home, monkeypatch):
    tried = []

    def refuse_mail(channels, channel, title, text):
        tried.append(channel)
        if channel == "mail":
            raise SendError("mail: refused")

    monkeypatch.setattr(Channels, "send", refuse_mail)
    monkeypatch.setenv(WEBHOOK, "https://example.com/hook")
    with dg.DagsterInstance.ephemeral() as instance:
        fail(home, Failure("run-1", "x"))
        result = tick(home, instance)
        assert "Not sent, to be tried again" in result.skip_reason.skip_message
        tick(home, instance, result.cursor)
    assert tried == ["mail", "webhook", "mail"]


def test_a_failed_check_of_the_newest_plan_is_told(home, messages):
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("allocation_plan"),
        check_name="few_shortages",
        passed=False,
        description="12 % of demand is short",
        partition=str(newest_closed_week()),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(evaluation)
        tick(home, instance)
    ((title, text),) = messages
    assert "few_shortages" in title
    assert text.startswith("12 % of demand is short")
