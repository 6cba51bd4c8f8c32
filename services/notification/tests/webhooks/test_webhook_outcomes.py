"""What an answer means: the schedule, Retry-After, what is final."""

from datetime import UTC, datetime, timedelta

import pytest

from grove_notification.settings import WebhookSettings
from grove_notification.webhooks.deliveries.calling import Answer
from grove_notification.webhooks.deliveries.outcomes import JITTER, Outcome, Schedule

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PAUSES = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600]


def outcome(answer: Answer, attempts: int = 1, scale: float = 1) -> Outcome:
    settings = WebhookSettings.model_construct(
        webhook_retry_scale=scale, webhook_retry_seconds=PAUSES, webhook_disable_days=5
    )
    return Schedule(settings).outcome(answer, attempts, NOW)


def test_the_contracts_schedule_is_the_default():
    assert WebhookSettings.model_fields["webhook_retry_seconds"].default == PAUSES
    assert WebhookSettings.model_fields["webhook_disable_days"].default == 5
    assert WebhookSettings.model_fields["webhook_delivery_days"].default == 30


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status):
    assert outcome(Answer(status=status)) == Outcome("delivered")


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(status=404), Answer(status=429), Answer(error="No.")])
@pytest.mark.parametrize("scale", [1, 0.001])
def test_failures_follow_the_schedule_to_its_end(answer, scale):
    for attempts, pause in enumerate(PAUSES, 1):
        found = outcome(answer, attempts, scale)
        assert found.kind == "retry"
        assert pause * scale <= (found.retry_at - NOW).total_seconds() <= pause * scale * (1 + JITTER)
    last = outcome(answer, len(PAUSES) + 1, scale)
    assert (last.kind, last.retry_at) == ("failed", None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304, 399])
def test_redirects_are_failures_that_say_so(status):
    """Tried again: a place that is being mended may lead elsewhere for an hour."""
    found = outcome(Answer(status=status))
    assert found.kind == "retry"
    assert "Redirects are not followed" in found.error


def test_410_ends_it():
    assert outcome(Answer(status=410)).kind == "gone"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_counts_when_it_is_later_than_the_schedule(status):
    later = outcome(Answer(status=status, retry_after="3600"))
    assert later.retry_at == NOW + timedelta(hours=1)
    sooner = outcome(Answer(status=status, retry_after="1"), attempts=2)
    assert sooner.retry_at >= NOW + timedelta(minutes=5)


def test_other_statuses_do_not_ask_to_wait():
    assert outcome(Answer(status=500, retry_after="3600")).retry_at < NOW + timedelta(minutes=1)
