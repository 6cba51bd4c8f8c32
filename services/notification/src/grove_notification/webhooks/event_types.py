"""What a webhook may subscribe to: the facts about a user that the catalogue knows."""

from collections.abc import Iterable

from grove.contracts import auth
from grove.contracts.catalogue import CATALOGUE
from grove.contracts.event import Erased, EventData

TEST = "grove.webhook.test.v1"
"""What POST `/webhooks/{id}/test` sends. Nobody subscribes to it, and every endpoint can get it."""
ALL = "*"
MOST = 50
"""Entries of a subscription."""

_SOURCES = ("auth.", "resource.", "provider_sync.")
_NEVER: tuple[type[EventData], ...] = (
    auth.MailRequested,  # a command, with what only its reader may see
    auth.UserRegistered,  # nobody has a webhook before they have an account
    auth.UserVerified,  # comes with it
    auth.UserDeleted,  # takes the webhooks with it
    Erased,
)


def _offered() -> dict[str, str]:
    return {
        published.type: _first_sentence(published.model)
        for published in CATALOGUE
        if published.type.startswith(_SOURCES)
        and "user_id" in published.model.model_fields
        and not issubclass(published.model, _NEVER)
    }


def _first_sentence(model: type[EventData]) -> str:
    text = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    return text.replace("`user_id`", "A user").replace("`with_user_id`", "another user")


EVENT_TYPES: dict[str, str] = _offered()
"""Type → what it tells, in one line."""


def unknown(patterns: Iterable[str]) -> list[str]:
    """Those that match no type there is."""
    return [pattern for pattern in patterns if not any(_fits(pattern, name) for name in EVENT_TYPES)]


def subscribed(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of the patterns is for the type."""
    return any(_fits(pattern, event_type) for pattern in patterns)


def _fits(pattern: str, event_type: str) -> bool:
    if pattern == ALL:
        return True
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern
