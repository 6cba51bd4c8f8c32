"""Signing keys as JSON."""

from typing import Literal

from grove.core.schema import Incoming, Moment, Outgoing
from grove_auth.models import SigningKey


class Rotate(Incoming):
    """`revoke`: the keys so far are compromised; their tokens die within a second."""

    revoke: bool = False


class SigningKeyRead(Outgoing):
    """A published key. `next`: it signs from `signs_from` on; `old`: it goes at `retires_at`."""

    id: str
    state: Literal["next", "signing", "old"]
    created_at: Moment
    signs_from: Moment
    retires_at: Moment | None


class SigningKeyList(Outgoing):
    """All published keys, newest first."""

    items: list[SigningKeyRead]

    @classmethod
    def of(cls, keys: list[SigningKey], signing: SigningKey) -> "SigningKeyList":
        """From the documents, newest first; `signing` is the one that signs."""
        items: list[SigningKeyRead] = []
        for key in keys:
            later = key.signs_from > signing.signs_from
            state: Literal["next", "signing", "old"] = "signing" if key.id == signing.id else "next" if later else "old"
            fields = set(SigningKeyRead.model_fields) - {"state"}
            items.append(SigningKeyRead(**key.model_dump(include=fields), state=state))
        return cls(items=items)
