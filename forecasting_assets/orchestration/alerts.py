"""The sensor that tells people when a plan needs them."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg

from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.home import Home
from forecasting_assets.runtime.messages import Channels, SendError
from forecasting_assets.workflows.alerts import Alert, as_text, asset_path, find_alerts

#: Checks that do not block, but that people are told of when they fail for the newest week of their asset.
ALERTED_CHECKS = (
    ("allocation_plan", "few_shortages"),
    ("backtest_report", "intervals_calibrated"),
    ("backtest_report", "unbiased"),
)


def alert_sensor(home: Home, channels: Channels) -> dg.SensorDefinition:
    """Return the sensor that sends alerts, which is on from the start."""

    @dg.sensor(
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people by mail or webhook of weeks that fail or are held back, shortages over the limit, "
        "a plan that is missing on Monday at noon, and forecasts that are off to one side or too sure.",
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        freshness = Freshness(home)
        alerts = [*find_alerts(freshness, datetime.now(UTC)), *_failed_checks(freshness, context.instance)]
        # What was sent is remembered by channel: one that refuses does not repeat messages on the other.
        messages = {
            f"{channel} {alert.key}": (channel, alert) for alert in alerts for channel in channels.names
        }
        sent = [key for key in json.loads(context.cursor or "[]") if key in messages]
        lines = []
        for key, (channel, alert) in messages.items():
            if key not in sent:
                try:
                    channels.send(channel, alert.title, as_text(alert, home.settings.alerts.dagster_url))
                    sent.append(key)
                    lines.append(f"Sent by {channel}: {alert.title}")
                except SendError as error:
                    lines.append(f"Not sent, to be tried again: {alert.title} ({error})")
        return dg.SensorResult(
            skip_reason="\n".join(lines) or "Nothing new to tell.", cursor=json.dumps(sent)
        )

    return alert_sensor


def _failed_checks(freshness: Freshness, instance: dg.DagsterInstance) -> Iterator[Alert]:
    for asset, check in ALERTED_CHECKS:
        made = [week for week, record in freshness.records(asset).items() if record.data]
        if made and (found := _failure(instance, asset, check, max(made))):
            yield Alert(
                f"check/{asset}/{check}/{max(made)}",
                f"{asset} of {max(made)}: the check {check} failed",
                found,
                asset_path(asset, "checks"),
            )


def _failure(instance: dg.DagsterInstance, asset: str, check: str, week: date) -> str:
    """Return what a check found in a week; empty if it passed or was not evaluated."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    newest = instance.event_log_storage.get_asset_check_execution_history(key, limit=60)
    for record in newest:
        evaluation = record.event and record.event.asset_check_evaluation
        if evaluation and record.partition == str(week):
            return "" if evaluation.passed else (evaluation.description or "The check says no more.")
    return ""
