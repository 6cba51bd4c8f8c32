"""Provider tokens at rest: sealed for their connection."""

import json
from datetime import datetime
from uuid import UUID

from grove.security.encryption import FieldCipher
from grove_provider_sync.providers.interface import Tokens


def seal(cipher: FieldCipher, connection_id: UUID, tokens: Tokens) -> str:
    """What is stored."""
    content = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": tokens.expires_at.isoformat(),
    }
    return cipher.seal(json.dumps(content), purpose=f"provider-tokens:{connection_id}")


def unseal(cipher: FieldCipher, connection_id: UUID, sealed: str) -> Tokens:
    """The tokens. Raises DecryptionFailed for another connection's."""
    content = json.loads(cipher.open(sealed, purpose=f"provider-tokens:{connection_id}"))
    return Tokens(
        access_token=content["access_token"],
        refresh_token=content["refresh_token"],
        expires_at=datetime.fromisoformat(content["expires_at"]),
    )
