"""The rules of identities. One is an issuer and a subject, never an address: addresses change hands."""

from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.contracts.auth import UserVerified
from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.alerts.service import AlertService
from grove_auth.identities.repository import IdentityRepository
from grove_auth.models import Identity, OAuthFlow, User
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sign_ins.ways_in import keep_one_way_in
from grove_auth.social import rules
from grove_auth.social.errors import SocialFailed
from grove_auth.social.providers.interface import Claims
from grove_auth.social.repository import SocialRepository
from grove_auth.users.events import registered
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()


class IdentityService:
    """Finds, makes, links and unlinks."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._identities = IdentityRepository()
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._sessions = SessionRepository()
        self._alerts = AlertService(resources)

    async def of_user(self, user_id: UUID) -> list[Identity]:
        """The user's identities, oldest first."""
        return await self._identities.of_user(user_id)

    async def unlink(self, user_id: UUID, provider: str) -> None:
        """Remove the user's identity of a provider, if there is one. Raises LastWayIn."""

        async def remove(transaction: AsyncClientSession) -> None:
            user = await self._users.held(user_id, transaction)
            if user is None:
                raise InvalidToken
            if not await self._identities.delete(user_id, provider, transaction):
                return
            await keep_one_way_in(user, transaction)
            await SocialRepository().forget_codes(user_id, provider, transaction)
            await self._resources.audit.add("identity.unlinked", user_id, transaction, provider=provider)
            await self._alerts.add(transaction, user, "identity_changed", change="unlinked", provider=provider)

        await self._resources.transaction(remove)

    async def opened_by(self, claims: Claims) -> User | None:
        """The account that the identity opens."""
        identity = await self._identities.by_subject(claims.issuer, claims.subject)
        return await self._users.get(identity.user_id) if identity else None

    async def account_of(self, provider: str, claims: Claims, told_name: str | None) -> User:
        """The account that the identity opens; a new one for a verified address that has none. Raises SocialFailed."""
        known = await self.opened_by(claims)
        if known is not None:
            return known
        email = rules.verified_address(claims)
        if email is None:
            raise SocialFailed("email_not_verified")
        if await self._users.by_email(email) is not None:
            raise SocialFailed("account_exists")
        try:
            return await self._open(provider, claims, email, rules.name_of(claims, told_name))
        except DuplicateKeyError:  # another request was first, with the identity or with the address
            known = await self.opened_by(claims)
        if known is None:
            raise SocialFailed("account_exists")
        return known

    async def link(self, flow: OAuthFlow, claims: Claims) -> None:
        """Link the identity to the account that began the flow. Raises SocialFailed."""
        if flow.user_id is None or flow.session_id is None:
            raise SocialFailed("session_ended")
        identity = await self._identities.by_subject(claims.issuer, claims.subject)
        if identity is not None and identity.user_id == flow.user_id:
            return
        if identity is not None:
            raise SocialFailed("identity_taken")
        email = rules.verified_address(claims)
        if email is None:
            raise SocialFailed("email_not_verified")
        identity = self._identity(flow.user_id, flow.provider, claims, email)
        try:
            await self._store_link(flow, identity)
        except DuplicateKeyError:
            taken = await self._identities.by_subject(claims.issuer, claims.subject)
            if taken is None or taken.user_id != flow.user_id:
                raise SocialFailed("identity_taken" if taken else "already_linked") from None

    async def _open(self, provider: str, claims: Claims, email: str, name: str) -> User:
        """A new account. Raises DuplicateKeyError."""
        moment = now()
        user = User(
            email=email,
            name=name,
            locale=rules.locale_of(claims),
            timezone=rules.timezone_of(claims),
            sequence=2,
            created_at=moment,
            updated_at=moment,
        )

        async def store(transaction: AsyncClientSession) -> None:
            await self._users.insert(user, transaction)
            await self._identities.insert(self._identity(user.id, provider, claims, email), transaction)
            await self._registrations.discard(email, transaction)
            await self._resources.outbox.add(
                transaction, (registered(user), 1), (UserVerified(user_id=user.id, email=email), 2)
            )
            for action in ("user.registered", "identity.linked"):
                await self._resources.audit.add(action, user.id, transaction, actor_id=user.id, provider=provider)

        await self._resources.transaction(store)
        log.info("account.registered", user_id=str(user.id), provider=provider)
        return user

    async def _store_link(self, flow: OAuthFlow, identity: Identity) -> None:
        async def store(transaction: AsyncClientSession) -> None:
            user = await self._users.held(identity.user_id, transaction)
            session = await self._sessions.get(flow.session_id or "", transaction)
            if user is None or user.token_version != flow.token_version or session is None:
                raise SocialFailed("session_ended")
            await self._identities.insert(identity, transaction)
            await self._resources.audit.add(
                "identity.linked", user.id, transaction, actor_id=user.id, provider=identity.provider
            )
            await self._alerts.add(transaction, user, "identity_changed", change="linked", provider=identity.provider)

        await self._resources.transaction(store)

    def _identity(self, user_id: UUID, provider: str, claims: Claims, email: str) -> Identity:
        return Identity(
            user_id=user_id,
            provider=provider,
            issuer=claims.issuer,
            subject=claims.subject,
            email=email,
            created_at=now(),
        )
