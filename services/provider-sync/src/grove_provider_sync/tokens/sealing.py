"""Provider tokens at rest: sealed for their connection, and for the one version of it that they were stored in."""

import json
from datetime import datetime
from uuid import UUID

from grove.security.encryption import DecryptionFailed
from grove.security.envelopes import EnvelopeCipher
from grove_provider_sync.models import Connection
from grove_provider_sync.providers.interface import Tokens


def store(cipher: EnvelopeCipher, connection: Connection, tokens: Tokens) -> None:
    """Put the tokens in the locked connection, in its next version: what was stored before opens no more."""
    connection.token_version += 1
    connection.sealed_tokens = cipher.seal(written(tokens), purpose=purpose_of(connection))


def stored(cipher: EnvelopeCipher, connection: Connection) -> Tokens:
    """The connection's tokens. Raises DecryptionFailed: another connection's, an older version's, or none."""
    if connection.sealed_tokens is None:
        raise DecryptionFailed("the connection has no tokens")
    return read(cipher.open(connection.sealed_tokens, purpose=purpose_of(connection)))


def purpose_of(connection: Connection) -> str:
    """What a connection's tokens are sealed for."""
    return _purpose(connection.id, connection.token_version)


def written(tokens: Tokens) -> str:
    """As text."""
    content = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": tokens.expires_at.isoformat() if tokens.expires_at else None,
    }
    return json.dumps(content)


def read(text: str) -> Tokens:
    """The tokens in a text of `written`."""
    content = json.loads(text)
    expires_at = content["expires_at"]
    return Tokens(
        access_token=content["access_token"],
        refresh_token=content["refresh_token"],
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )


def _purpose(connection_id: UUID, version: int) -> str:
    bound = f"provider-tokens:{connection_id}"
    return f"{bound}:{version}" if version else bound  # 0: from before versions
