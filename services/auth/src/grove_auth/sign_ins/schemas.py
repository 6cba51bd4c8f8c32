"""Signing in as JSON."""

from typing import Self

from pydantic import model_validator

from grove.core.schema import Incoming
from grove_auth.captcha.schemas import WithCaptcha
from grove_auth.passkeys.schemas import PasskeyProof
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Email
from grove_auth.sessions.schemas import SessionOptions


class Reauthenticate(Incoming):
    """What proves that it is you: the password or a passkey."""

    password: Password | None = None
    passkey: PasskeyProof | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.password is None) == (self.passkey is None):
            raise ValueError("send either password or passkey")
        return self


class Login(SessionOptions, WithCaptcha):
    """Address and password, and what kind of session is wanted."""

    email: Email
    password: Password
