"""How the end of a webhook is told."""

from grove_notification.texts import Texts


def last_failure(status: int | None, t: Texts) -> str:
    """What its endpoint answered last; None: nothing."""
    if status is None:
        return t("The endpoint did not answer.")
    return t("The endpoint answered {status}.", status=status)
