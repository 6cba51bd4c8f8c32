"""What can be wrong with a request about webhooks."""

from grove.core.errors import Conflict, Invalid, InvalidState, NotFound


class WebhookNotFound(NotFound):
    """404."""

    message = "There is no webhook with this id."


class DeliveryNotFound(NotFound):
    """404."""

    message = "The webhook has no delivery with this id."


class TooManyWebhooks(Invalid):
    """422."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} webhooks, which is as many as there can be. Delete one first.")


class UrlRefused(Invalid):
    """422: webhooks may not call the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(details=[{"field": "body.url", "message": f"The URL {reason}.", "type": "value_error"}])


class WebhookDisabled(InvalidState):
    """400."""

    message = "The webhook is disabled. Set its status to active first."


class DeliveryPending(InvalidState):
    """400."""

    message = "The delivery is under way already."


class DeliveryEnded(InvalidState):
    """400."""

    message = "The delivery has ended already."


class TooManyOverlaps(Conflict):
    """409: each former secret signs for as long as was promised."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} former secrets sign beside the present one. Wait until one ends, or end all by overlap_hours 0."
        )


class AnswerUnreadable(Conflict):
    """409: the answer under an Idempotency-Key was sealed with a key that is gone."""

    message = "The answer that was given under this Idempotency-Key can't be read any more. Use a new key."
