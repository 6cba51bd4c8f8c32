"""Passwords as JSON."""

from typing import Annotated

from pydantic import Field

from grove.core.emails import Email
from grove.core.schema import Incoming
from grove_auth.captcha.schemas import WithCaptcha
from grove_auth.passwords.rules import Password


class ChangePassword(Incoming):
    """The password that holds, and the one that shall."""

    current_password: Password
    new_password: Password


class RequestPasswordReset(WithCaptcha):
    """Whose password is forgotten."""

    email: Email


class ResetPassword(Incoming):
    """The token of the mailed link, and the password that shall hold."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: Password
