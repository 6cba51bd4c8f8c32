"""The rules of registration."""

from datetime import timedelta
from math import ceil

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import MailRequested, UserVerified
from grove.core.clock import now
from grove.core.errors import Gone
from grove.core.ids import new_id
from grove_auth.models import Registration, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.passwords import rules
from grove_auth.passwords.repository import PasswordRepository
from grove_auth.passwords.service import PasswordService
from grove_auth.registrations.mails import mail_requested
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.registrations.rules import check_address
from grove_auth.registrations.schemas import Register
from grove_auth.resources import Resources
from grove_auth.users.events import registered
from grove_auth.users.repository import UserRepository


class RegistrationService:
    """Registers and verifies. Nothing it answers tells whether an address is taken."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._registrations = RegistrationRepository()
        self._passwords = PasswordRepository()
        self._users = UserRepository()
        self._invitations = PasswordService(resources)

    async def register(self, data: Register) -> None:
        """A pending registration and its mail; to the owner of a taken address, a mail that says so.

        Either way as much is written: the registration of a taken address is over before it begins.
        """
        settings, passwords = self._resources.settings, self._resources.passwords
        check_address(data.email, settings)
        await passwords.run(lambda: rules.check(data.password, settings, about=(data.email, data.name)))
        hashed = await passwords.hash(data.password)
        owner = await self._users.by_email(data.email)
        token = new_token()
        moment = now()
        ends = moment + timedelta(hours=settings.verification_hours)
        registration = Registration(
            email=data.email,
            name=data.name,
            password_hash=hashed,
            locale=data.locale,
            timezone=data.timezone,
            token_hash=token_hash(token),
            created_at=moment,
            expires_at=moment if owner else ends,
        )
        mail = self._already_registered(owner) if owner else self._verification(registration, token)

        async def store(transaction: AsyncClientSession) -> None:
            await self._registrations.insert(registration, transaction)
            await self._resources.outbox.add(transaction, (mail, 1))
            await self._resources.audit.add(
                "registration.requested", owner.id if owner else registration.id, transaction
            )

        await self._resources.transaction(store)

    async def resend(self, email: str) -> None:
        """A new link for the newest pending registration of the address, or for the account somebody else made for it.

        Without either as much is written, for nobody.
        """
        registration = await self._registrations.newest(email)
        user = await self._users.by_email(email)
        token = new_token()

        async def store(transaction: AsyncClientSession) -> None:
            known = registration.id if registration else new_id()
            await self._registrations.replace_token(known, token_hash(token), transaction)
            if registration is not None:
                mail = self._verification(registration, token)
                await self._resources.outbox.add(transaction, (mail, 1))
            elif user is not None and not user.email_verified:
                await self._invitations.invite(user, transaction)
            else:
                await self._passwords.add_nothing(transaction)
            await self._resources.audit.add(
                "registration.resent", registration.id if registration else None, transaction
            )

        await self._resources.transaction(store)

    async def verify(self, token: str) -> User:
        """The account of the link's registration; other pending ones for the address are gone. Raises Gone."""
        registration = await self._registrations.by_token(token_hash(token))
        if registration is None:
            await self._resources.audit.add("registration.refused", None, outcome="failure")
            raise Gone
        moment = now()
        user = User(
            email=registration.email,
            name=registration.name,
            password_hash=registration.password_hash,
            locale=registration.locale,
            timezone=registration.timezone,
            sequence=2,
            created_at=moment,
            updated_at=moment,
        )

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._registrations.consume(registration, transaction):
                raise Gone
            await self._users.insert(user, transaction)
            await self._resources.outbox.add(
                transaction, (registered(user), 1), (UserVerified(user_id=user.id, email=user.email), 2)
            )
            await self._resources.audit.add(
                "user.registered", user.id, transaction, actor_id=user.id, registration=str(registration.id)
            )

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Gone from None  # the address was verified through another registration meanwhile
        return user

    def _verification(self, registration: Registration, token: str) -> MailRequested:
        hours = ceil((registration.expires_at - now()) / timedelta(hours=1))  # fewer when it is mailed again
        return mail_requested(
            self._resources.mail_cipher,
            "verify_email",
            to=registration.email,
            locale=registration.locale,
            variables={"token": token, "hours": hours},
            expires_at=registration.expires_at,
        )

    def _already_registered(self, owner: User) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "already_registered",
            to=owner.email,
            user_id=owner.id,
            locale=owner.locale,
            variables={"name": owner.name},
        )
