"""Signing in as JSON."""

from typing import Literal, Self

from pydantic import Field, model_validator

from grove.core.emails import Email
from grove.core.schema import Incoming
from grove_auth.captcha.schemas import WithCaptcha
from grove_auth.mfa.schemas import SecondFactor
from grove_auth.passkeys.schemas import PasskeyProof
from grove_auth.passwords.rules import Password
from grove_auth.sessions.schemas import SessionOptions, Token


class Login(SessionOptions, WithCaptcha):
    """Address and password, and what kind of session is wanted."""

    email: Email
    password: Password


class Reauthenticate(SecondFactor):
    """What proves that it is you: one first factor, and with MFA on a second one with it.

    Your password, a passkey, which is two factors in one, or what a linked provider proved. Who has none of them sends
    a `code` that `/reauthenticate/challenge` mailed, or one of their second factors.
    """

    password: Password | None = None
    passkey: PasskeyProof | None = None
    provider_code: Token | None = Field(None, description="What `/oauth/{provider}/reauthenticate` ended with")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        first = [self.password, self.passkey, self.provider_code]
        second = [self.code, self.backup_code]
        if len(first) - first.count(None) > 1:
            raise ValueError("Send one first factor only.")
        if second.count(None) == 0:
            raise ValueError("Send either code or backup_code.")
        if [*first, *second].count(None) == len(first) + len(second):
            raise ValueError("Send what proves that it is you, such as password.")
        return self


class ReauthenticateChallenge(Incoming):
    """By which way a code is sent."""

    method: Literal["sms", "email"]
