"""Signing in as JSON."""

from typing import Literal, Self

from pydantic import model_validator

from grove.core.schema import Incoming
from grove_auth.mfa.schemas import SecondFactor
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Email
from grove_auth.sessions.schemas import SessionOptions


class Reauthenticate(SecondFactor):
    """What proves that it is you: exactly one first factor, and with MFA on a second one with it.

    Your password, with `code` or `backup_code` where MFA is on. Who has no password sends a `code` that
    `/reauthenticate/challenge` mailed, or one of their second factors.
    """

    password: Password | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.code is not None and self.backup_code is not None:
            raise ValueError("Send either code or backup_code.")
        if self.password is None and self.code is None and self.backup_code is None:
            raise ValueError("Send what proves that it is you, such as password.")
        return self


class ReauthenticateChallenge(Incoming):
    """By which way a code is sent."""

    method: Literal["sms", "email"]


class Login(SessionOptions):
    """Address and password, and what kind of session is wanted."""

    email: Email
    password: Password
