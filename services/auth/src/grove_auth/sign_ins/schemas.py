"""Signing in as JSON."""

from grove.core.schema import Incoming
from grove_auth.captcha.schemas import WithCaptcha
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Email
from grove_auth.sessions.schemas import SessionOptions


class Reauthenticate(Incoming):
    """What proves that it is you."""

    password: Password


class Login(SessionOptions, WithCaptcha):
    """Address and password, and what kind of session is wanted."""

    email: Email
    password: Password
