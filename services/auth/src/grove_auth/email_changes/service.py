"""The rules of changing an address.

The new one is confirmed by a mailed link; the old one is told, and can take the change back for some days. An address
is no factor: sessions and token version stay, and the account's user may end the other sessions beside it.
"""

from datetime import timedelta
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import MailRequested, UserEmailChanged
from grove.core.clock import now
from grove.core.errors import Gone, InvalidToken
from grove_auth.email_changes.repository import EmailChangeRepository, EmailUndoRepository
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import EmailChange, EmailUndo, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.passwords.repository import PasswordRepository
from grove_auth.registrations.mails import mail_requested
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.registrations.rules import check_address
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository


class EmailChangeService:
    """Changes addresses. Nothing it answers tells whether an address is taken."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._changes = EmailChangeRepository()
        self._undos = EmailUndoRepository()
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._resets = PasswordRepository()
        self._attempts = PasswordCheck(resources)

    async def request(self, user_id: UUID, email: str) -> None:
        """A link to the new address; to the owner of a taken one, a mail that says so."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        check_address(email, self._settings, field="new_email")
        owner = await self._users.by_email(email)
        token = new_token()
        change = EmailChange(
            id=token_hash(token),
            user_id=user.id,
            email=email,
            token_version=user.token_version,
            expires_at=now() + timedelta(hours=self._settings.email_change_hours),
        )
        mail = self._taken(owner) if owner else self._link(user, change, token)

        async def store(transaction: AsyncClientSession) -> None:
            await self._changes.add(change, transaction)
            await self._resources.outbox.add(transaction, (mail, 1))
            await self._resources.audit.add("email.change_requested", user.id, transaction)

        await self._resources.transaction(store)

    async def confirm(self, token: str) -> None:
        """The address of the link is the account's. Raises Gone.

        The link is dead too when its account's tokens were ended meanwhile, or another account has the address.
        """
        change = await self._changes.by_token(token_hash(token))
        user = await self._users.get(change.user_id) if change else None
        if change is None or user is None:
            raise Gone

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._changes.use(change, transaction):
                raise Gone
            if not await self._changes.swap(user, change, transaction):
                raise Gone
            await self._changed(user, change.email, transaction)

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Gone from None

    async def _changed(self, user: User, email: str, transaction: AsyncClientSession) -> None:
        """What follows: links to the old address are dead but one, which takes the change back."""
        moment, token = now(), new_token()
        undo = EmailUndo(
            id=token_hash(token),
            user_id=user.id,
            email=user.email,
            changed_at=moment,
            expires_at=moment + timedelta(days=self._settings.email_undo_days),
        )
        fact = UserEmailChanged(user_id=user.id, email=email, how="changed", changed_at=moment)
        await self._resources.facts.add(transaction, user.id, fact)
        await self._undos.insert(undo, transaction)
        await self._changes.forget(user.id, transaction)
        await self._registrations.discard(email, transaction)
        await self._resets.forget_resets(user.id, transaction)
        await self._attempts.forget_address(email, transaction)
        await self._resources.outbox.add(transaction, (self._told(user, undo, token), 1))
        await self._resources.audit.add("email.changed", user.id, transaction, actor_id=user.id)

    def _link(self, user: User, change: EmailChange, token: str) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "change_email",
            to=change.email,
            user_id=user.id,
            locale=user.locale,
            variables={"token": token, "hours": self._settings.email_change_hours},
            expires_at=change.expires_at,
        )

    def _taken(self, owner: User) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "email_taken",
            to=owner.email,
            user_id=owner.id,
            locale=owner.locale,
            variables={"name": owner.name},
        )

    def _told(self, user: User, undo: EmailUndo, token: str) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "email_changed",
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={
                "name": user.name,
                "token": token,
                "days": self._settings.email_undo_days,
                "at": undo.changed_at.isoformat(),
                "timezone": user.timezone,
            },
            expires_at=undo.expires_at,
        )
