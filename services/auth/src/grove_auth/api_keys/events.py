"""API key → contract event."""

from grove.contracts import auth
from grove.core.clock import now
from grove_auth.models import ApiKey


def created(key: ApiKey) -> auth.ApiKeyCreated:
    """A key was made."""
    return auth.ApiKeyCreated(
        user_id=key.user_id,
        api_key_id=key.id,
        name=key.name,
        hint=key.hint,
        scopes=key.scopes,
        expires_at=key.expires_at,
        created_at=key.created_at,
    )


def deleted(key: ApiKey) -> auth.ApiKeyDeleted:
    """A key was deleted."""
    return auth.ApiKeyDeleted(user_id=key.user_id, api_key_id=key.id, name=key.name, hint=key.hint, deleted_at=now())
