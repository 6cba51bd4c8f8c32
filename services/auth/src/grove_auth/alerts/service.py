"""The rules of alerts."""

from datetime import timedelta
from typing import Literal

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.alerts.repository import NotMeRepository
from grove_auth.models import NotMeLink, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources

AlertKind = Literal[
    "new_sign_in",
    "login_locked",
    "session_reuse",
    "password_changed",
    "mfa_changed",
    "mfa_locked",
    "api_key_created",
    "passkey_changed",
    "passkey_copied",
    "identity_changed",
]
PERIOD = timedelta(hours=1)
MOST: dict[AlertKind, int] = {
    "login_locked": 1,
    "mfa_locked": 1,
    "session_reuse": 1,
    "passkey_copied": 1,
    "new_sign_in": 5,
}
"""Alerts that an account gets within PERIOD, of the kinds that others can cause; the rest takes its owner's sign-in."""


class AlertService:
    """Mails alerts. They bear a secret, so auth asks for them itself; the list in the app is made from the facts."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._links = NotMeRepository()

    async def add(self, transaction: AsyncClientSession, user: User, kind: AlertKind, **variables: str) -> None:
        """Mail the user what happened, in the transaction of the fact. `variables`: grove/contracts/mails.py.

        Call it after `facts.add`: under the account's lock, what was mailed lately is counted exactly.
        """
        moment, most = now(), MOST.get(kind)
        if most and await self._links.mailed_since(user.id, kind, moment - PERIOD, most, transaction) >= most:
            return
        days = self._resources.settings.not_me_days
        token = new_token()
        link = NotMeLink(
            id=token_hash(token),
            user_id=user.id,
            kind=kind,
            created_at=moment,
            expires_at=moment + timedelta(days=days),
        )
        await self._links.insert(link, transaction)
        mail = mail_requested(
            self._resources.mail_cipher,
            kind,
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={
                "name": user.name,
                "token": token,
                "days": days,
                "at": moment.isoformat(),
                "timezone": user.timezone,
                **variables,
            },
            expires_at=link.expires_at,
        )
        await self._resources.outbox.add(transaction, (mail, 1))
