"""The rules of giving an account back: its owner says by a mailed link that somebody else was here.

Everything that lets somebody in ends at once. Whoever reads the mails of the address that the account had sets a new
password and goes on.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import MailRequested, UserEmailChanged
from grove.core.clock import now
from grove.core.errors import Conflict, Gone
from grove_auth.alerts.repository import NotMeRepository
from grove_auth.email_changes.repository import EmailChangeRepository, EmailUndoRepository
from grove_auth.identities.repository import IdentityRepository
from grove_auth.models import EmailUndo, User
from grove_auth.one_time_tokens import token_hash
from grove_auth.passkeys.repository import PasskeyRepository
from grove_auth.passwords.service import PasswordService
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources
from grove_auth.sessions.service import SessionService
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

Revoke = Callable[[Resources, AsyncClientSession, UUID], Awaitable[None]]


async def _pending_addresses(_: Resources, transaction: AsyncClientSession, user_id: UUID) -> None:
    await EmailChangeRepository().forget(user_id, transaction)


async def _other_alerts(_: Resources, transaction: AsyncClientSession, user_id: UUID) -> None:
    """They may have been mailed to an address that is not the owner's."""
    await NotMeRepository().forget(user_id, transaction)


async def _passkeys(_: Resources, transaction: AsyncClientSession, user_id: UUID) -> None:
    """Whoever was here may have added one; their owner adds theirs again."""
    await PasskeyRepository().delete_all(user_id, transaction)


async def _identities(_: Resources, transaction: AsyncClientSession, user_id: UUID) -> None:
    await IdentityRepository().delete_all(user_id, transaction)


WAYS_IN: tuple[Revoke, ...] = (_pending_addresses, _other_alerts, _passkeys, _identities)
"""What ends beside sessions and password. API keys and trusted devices end with the token version."""


class TakeoverService:
    """Ends what strangers may hold."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._links = NotMeRepository()
        self._undos = EmailUndoRepository()
        self._sessions = SessionService(resources)
        self._passwords = PasswordService(resources)

    async def not_me(self, token: str) -> None:
        """The owner did not do what an alert told. Raises Gone, or Conflict.

        Where the address was changed since, it is again the one that the alert was mailed to: a reset mailed to the
        present one would help whoever changed it.
        """
        link = await self._links.by_token(token_hash(token))
        if link is None:
            raise Gone

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._links.use(link, transaction):
                raise Gone
            undo = await self._undos.oldest_since(link.user_id, link.created_at, transaction)
            if undo is not None:
                await self._undos.use(undo, transaction)
            await self._give_back(link.user_id, undo, f"alert:{link.kind}", transaction)

        await self._run(store, link.user_id)

    async def undo(self, token: str) -> None:
        """The owner did not change the address: it is the old one again, whatever came after. Raises as above."""
        undo = await self._undos.by_token(token_hash(token))
        if undo is None:
            raise Gone

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._undos.use(undo, transaction):
                raise Gone
            await self._give_back(undo.user_id, undo, "email_undo", transaction)

        await self._run(store, undo.user_id)

    async def _run(self, store: Callable[[AsyncClientSession], Awaitable[None]], user_id: UUID) -> None:
        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Conflict(
                "Another account has the old address meanwhile. Write to those who run this service."
            ) from None
        log.warning("account.given_back", user_id=str(user_id))

    async def _give_back(self, user_id: UUID, undo: EmailUndo | None, by: str, transaction: AsyncClientSession) -> None:
        await self._users.update(user_id, {}, transaction)  # takes the account's lock, so what is read next holds
        user = await self._users.get(user_id, transaction)
        if user is None:
            raise Gone
        owner = user.model_copy(update={"email": undo.email if undo else user.email})
        changes = {"email": owner.email, "password_reset_required": True, "token_version": user.token_version + 1}
        await self._users.update(user_id, changes, transaction)
        if owner.email != user.email:
            fact = UserEmailChanged(user_id=user_id, email=owner.email, how="undone", changed_at=now())
            await self._resources.facts.add(transaction, user_id, fact)
            await self._resources.outbox.add(transaction, (self._undone(user), 1))
        await self._sessions.end_all_within(transaction, user, "revoked")
        for revoke in WAYS_IN:
            await revoke(self._resources, transaction, user_id)
        await self._passwords.mail_reset(transaction, owner)
        await self._resources.audit.add("account.given_back", user_id, transaction, actor_id=user_id, by=by)

    def _undone(self, user: User) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "email_change_undone",
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={"name": user.name},
        )
