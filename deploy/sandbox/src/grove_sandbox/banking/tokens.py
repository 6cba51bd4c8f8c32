"""Codes and tokens. What one consent gave is a family, which ends as one: the customer's other consents stay."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Rotation = Literal["new", "none", "same"]

CODE_SECONDS = 60


class GrantRefused(Exception):
    """A code or token that gives nothing. `why` is for the client, where the bank tells it."""

    def __init__(self, why: str | None = None) -> None:
        self.why = why


class RefreshTokenReused(GrantRefused):
    """A spent refresh token, which only a thief has, or a client whose token was stolen."""

    def __init__(self, customer: str) -> None:
        super().__init__()
        self.customer = customer


@dataclass
class Family:
    """All tokens that come from one consent. `ended`: by whom or what."""

    customer: str
    ends_at: datetime | None
    ended: Literal["withdrawn", "revoked", "reused"] | None = None

    def check(self) -> None:
        """Raises GrantRefused when it is over."""
        if self.ended == "withdrawn":
            raise GrantRefused("consent withdrawn")
        if self.ended is not None:
            raise GrantRefused
        if self.ends_at is not None and self.ends_at <= datetime.now(UTC):
            raise GrantRefused("consent ended")


@dataclass(frozen=True)
class Code:
    """What a customer agreed to, until the client fetches it. `challenge`: PKCE, empty for a client without."""

    customer: str
    challenge: str
    redirect_uri: str
    expires: float


@dataclass(frozen=True)
class Pair:
    """Fresh tokens. `refresh_token`: None when the client keeps the one that it has."""

    family: Family
    access_token: str
    refresh_token: str | None
    seconds: float


class Tokens:
    """Those of one bank."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._access: dict[str, tuple[Family, float]] = {}
        self._refresh: dict[str, Family] = {}
        self._spent: dict[str, Family] = {}

    def code(self, customer: str, redirect_uri: str, challenge: str = "") -> str:
        """A code for the client."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(customer, challenge, redirect_uri, time.time() + CODE_SECONDS)
        return code

    def take(self, code: str, redirect_uri: str) -> Code:
        """What a code stands for, once. Raises GrantRefused."""
        found = self._codes.pop(code, None)
        if found is None or found.expires < time.time() or found.redirect_uri != redirect_uri:
            raise GrantRefused
        return found

    def begin(self, customer: str, seconds: float, consent_seconds: float | None) -> Pair:
        """A new family with its first tokens, the access token for `seconds`."""
        ends_at = None if consent_seconds is None else datetime.now(UTC) + timedelta(seconds=consent_seconds)
        family, refresh = Family(customer, ends_at), secrets.token_urlsafe(24)
        self._refresh[refresh] = family
        return self._pair(family, refresh, seconds)

    def refresh(self, token: str, rotation: Rotation, seconds: float) -> Pair:
        """Swap a refresh token. Raises GrantRefused, or RefreshTokenReused, which ends the family."""
        if (reused := self._spent.get(token)) is not None:
            reused.ended = reused.ended or "reused"
            raise RefreshTokenReused(reused.customer)
        family = self._refresh.get(token)
        if family is None:
            raise GrantRefused
        family.check()
        if rotation != "new":
            return self._pair(family, token if rotation == "same" else None, seconds)
        self._spent[token] = self._refresh.pop(token)
        fresh = secrets.token_urlsafe(24)
        self._refresh[fresh] = family
        return self._pair(family, fresh, seconds)

    def family_of(self, access_token: str) -> Family:
        """Whose living access token it is. Raises GrantRefused."""
        family, expires = self._access.get(access_token, (None, 0.0))
        if family is None:
            raise GrantRefused
        family.check()
        if expires <= time.time():
            raise GrantRefused
        return family

    def customer_behind(self, text: str) -> str | None:
        """The customer that a code or token of any kind was given for, whether or not it still works."""
        family = self._refresh.get(text) or self._spent.get(text) or self._access.get(text, (None,))[0]
        if family is not None:
            return family.customer
        code = self._codes.get(text)
        return None if code is None else code.customer

    def revoke(self, token: str) -> None:
        """End the family of a token, if it is one."""
        family = self._refresh.get(token) or self._access.get(token, (None,))[0]
        if family is not None:
            family.ended = family.ended or "revoked"

    def withdraw(self, customer: str) -> None:
        """A customer withdraws every consent."""
        for family in self._families():
            if family.customer == customer:
                family.ended = family.ended or "withdrawn"

    def consent_ends_at(self, customer: str) -> datetime | None:
        """When the first of a customer's living consents ends."""
        ends = (each.ends_at for each in self._families() if each.customer == customer and each.ended is None)
        return min((end for end in ends if end is not None), default=None)

    def expire(self, customer: str) -> None:
        """A customer's access tokens end now; their refresh tokens stay."""
        self._access = {token: held for token, held in self._access.items() if held[0].customer != customer}

    def _families(self) -> list[Family]:
        return [*self._refresh.values(), *(held[0] for held in self._access.values())]

    def _pair(self, family: Family, refresh: str | None, seconds: float) -> Pair:
        access = secrets.token_urlsafe(24)
        self._access[access] = (family, time.time() + seconds)
        return Pair(family, access, refresh, seconds)
