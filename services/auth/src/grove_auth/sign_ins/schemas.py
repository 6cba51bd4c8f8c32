"""Signing in as JSON."""

from typing import Self

from pydantic import Field, model_validator

from grove.core.schema import Incoming
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Email
from grove_auth.sessions.schemas import SessionOptions, Token


class Reauthenticate(Incoming):
    """What proves that it is you: one of these."""

    password: Password | None = None
    provider_code: Token | None = Field(None, description="What `/oauth/{provider}/reauthenticate` ended with")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.password is None) == (self.provider_code is None):
            raise ValueError("Send either password or provider_code.")
        return self


class Login(SessionOptions):
    """Address and password, and what kind of session is wanted."""

    email: Email
    password: Password
