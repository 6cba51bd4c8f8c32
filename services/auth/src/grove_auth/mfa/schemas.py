"""Second factors as JSON."""

from typing import Annotated, Literal, Self

import phonenumbers
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from grove.core.schema import Incoming, Outgoing
from grove_auth.sessions.schemas import Token


def _phone(text: str) -> str:
    """The number in E.164."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise ValueError("must be a number with its country, such as +4930123456") from None
    if not phonenumbers.is_valid_number(number):
        raise ValueError("is not a number that can exist")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


Phone = Annotated[str, Field(min_length=4, max_length=32, examples=["+4930123456"]), AfterValidator(_phone)]
Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^(\d{6}|\d{8})$"),
    Field(examples=["123456"], description="Six digits of an authenticator app, or the eight that were sent"),
]
BackupCode = Annotated[str, Field(min_length=1, max_length=40, examples=["k7wm-x3pq-9dfa"])]


class TotpSetup(Outgoing):
    """What an authenticator app needs, as text and as a picture. It counts once it is confirmed."""

    secret: str
    otpauth_uri: str
    qr_svg: str


class Confirm(Incoming):
    """A code that shows that it works."""

    code: Code


class BackupCodes(Outgoing):
    """Codes for the day that the device is away, each for one use. They are not shown again.

    Empty when the account has some already.
    """

    backup_codes: list[str]


class EnrolPhone(Incoming):
    """The number that gets codes."""

    phone: Phone


class SendCode(Incoming):
    """By which way a code is sent, for a sign-in that waits."""

    mfa_token: Token
    method: Literal["sms", "email"]


class Recover(Incoming):
    """The sign-in that can't go on."""

    mfa_token: Token


class CancelRecovery(Incoming):
    """The token of the mailed link."""

    token: Token


class SecondFactor(Incoming):
    """A code, or a backup code."""

    code: Code | None = None
    backup_code: BackupCode | None = None


class VerifyMfa(SecondFactor):
    """The sign-in that waits, and what proves the second factor."""

    mfa_token: Token
    trust_device: bool = Field(False, description="This browser may skip the second factor for a time")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.code is None) == (self.backup_code is None):
            raise ValueError("Send either code or backup_code.")
        return self
