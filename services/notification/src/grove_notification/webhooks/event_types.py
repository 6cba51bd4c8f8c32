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


_READ_BY = {
    "auth.": "account:read",
    "resource.task.": "tasks:read",
    "resource.profile.": "profile:read",
    "resource.activity.": "moments:read",
    "resource.moment.": "moments:read",
    "provider_sync.": "connections:read",
}
"""The scopes of the routes that show the same."""


def scope_of(event_type: str) -> str:
    """What a token needs to read facts of a type. Raises LookupError."""
    for beginning, scope in _READ_BY.items():
        if event_type.startswith(beginning):
            return scope
    raise LookupError(f"nobody said who may read {event_type}")


def scopes_of(patterns: Iterable[str]) -> list[str]:
    """What a token needs to subscribe to all types that one of the patterns is for."""
    wanted = list(patterns)
    return sorted({scope_of(name) for name in EVENT_TYPES if subscribed(wanted, name)})


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
