"""The rules of registration."""

from datetime import timedelta

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import MailRequested, UserRegistered, UserVerified
from grove.core.clock import now
from grove.core.errors import Gone
from grove_auth.models import Registration, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.passwords import rules
from grove_auth.registrations.mails import mail_requested
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.registrations.schemas import Register
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository


class RegistrationService:
    """Registers and verifies. Nothing it answers tells whether an address is taken."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._registrations = RegistrationRepository()
        self._users = UserRepository()

    async def register(self, data: Register) -> None:
        """A pending registration and its mail; to the owner of a taken address, a mail that says so."""
        settings, passwords = self._resources.settings, self._resources.passwords
        await passwords.run(lambda: rules.check(data.password, settings, about=(data.email, data.name)))
        hashed = await passwords.hash(data.password)
        owner = await self._users.by_email(data.email)
        token = new_token()
        moment = now()
        registration = Registration(
            email=data.email,
            name=data.name,
            password_hash=hashed,
            locale=data.locale,
            timezone=data.timezone,
            token_hash=token_hash(token),
            created_at=moment,
            expires_at=moment + timedelta(hours=settings.verification_hours),
        )
        mail = (
            self._already_registered(owner) if owner else self._verification(data.email, data.locale, data.name, token)
        )

        async def store(transaction: AsyncClientSession) -> None:
            if owner is None:
                await self._registrations.insert(registration, transaction)
            await self._resources.outbox.add(transaction, (mail, 1))

        await self._resources.transaction(store)

    async def resend(self, email: str) -> None:
        """A new link for the newest pending registration of the address, if there is one."""
        registration = await self._registrations.newest(email)
        if registration is None:
            return
        token = new_token()
        mail = self._verification(email, registration.locale, registration.name, token)

        async def store(transaction: AsyncClientSession) -> None:
            await self._registrations.replace_token(registration, token_hash(token), transaction)
            await self._resources.outbox.add(transaction, (mail, 1))

        await self._resources.transaction(store)

    async def verify(self, token: str) -> User:
        """The account of the link's registration; other pending ones for the address are gone. Raises Gone."""
        registration = await self._registrations.by_token(token_hash(token))
        if registration is None:
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
            await self._resources.audit.add("user.registered", user.id, transaction, actor_id=user.id)

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise Gone from None  # the address was verified through another registration meanwhile
        return user

    def _verification(self, email: str, locale: str, name: str, token: str) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "verify_email",
            to=email,
            locale=locale,
            variables={"name": name, "token": token, "hours": self._resources.settings.verification_hours},
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


def registered(user: User) -> UserRegistered:
    """The fact of a new account."""
    return UserRegistered(
        user_id=user.id,
        email=user.email,
        name=user.name,
        locale=user.locale,
        timezone=user.timezone,
        roles=user.roles,
        registered_at=user.created_at,
    )
