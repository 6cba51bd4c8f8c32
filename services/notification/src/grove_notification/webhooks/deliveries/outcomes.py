"""What an answer means for a delivery."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from grove.web.retry_after import retry_after
from grove_notification.settings import WebhookSettings
from grove_notification.webhooks.deliveries.calling import Answer

Kind = Literal["delivered", "retry", "failed", "gone"]
JITTER = 0.1
"""Part by which a pause may be longer, so that what failed together is not tried together again."""
GONE = 410
_ASK_TO_WAIT = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Outcome:
    """`retry_at`: when the next try is due. `error`: in words, for whose endpoint it is.

    `resume_at`: when the endpoint wants to get anything again.
    """

    kind: Kind
    error: str | None = None
    retry_at: datetime | None = None
    resume_at: datetime | None = None


class Schedule:
    """The pauses between tries. `attempts` counts those that were made, the last one included."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._scale = settings.webhook_retry_scale
        self._pauses = settings.webhook_retry_seconds
        self.disable_after = timedelta(days=settings.webhook_disable_days * self._scale)

    def outcome(self, answer: Answer, attempts: int, moment: datetime) -> Outcome:
        """What follows from an answer."""
        status = answer.status
        if status is None:
            return self._again(answer.error or "There was no answer.", attempts, moment)
        if 200 <= status < 300:
            return Outcome("delivered")
        if status == GONE:
            return Outcome("gone", "The endpoint answered 410: it wants no more.")
        asked = retry_after(answer.retry_after, moment) if status in _ASK_TO_WAIT else None
        return self._again(_words(status), attempts, moment, asked)

    def _again(self, error: str, attempts: int, moment: datetime, asked: datetime | None = None) -> Outcome:
        if attempts > len(self._pauses):
            return Outcome("failed", error, resume_at=asked)
        seconds = self._pauses[attempts - 1] * self._scale * random.uniform(1, 1 + JITTER)  # noqa: S311 - timing
        due = moment + timedelta(seconds=seconds)
        return Outcome("retry", error, due if asked is None else max(due, asked), asked)


def _words(status: int) -> str:
    redirected = " Redirects are not followed: change the URL." if 300 <= status < 400 else ""
    return f"The endpoint answered {status}.{redirected}"
