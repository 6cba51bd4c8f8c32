"""How the end of a webhook is told."""

from grove_notification.texts import Texts


def last_failure(status: int | None, t: Texts) -> str:
    """What its endpoint answered last; None: nothing."""
    if status is None:
        return t("The endpoint did not answer.")
    return t("The endpoint answered {status}.", status=status)


def too_much_waited(most: int, t: Texts) -> str:
    """More than it may."""
    return t("More than {count} deliveries waited for the endpoint.", count=most)
