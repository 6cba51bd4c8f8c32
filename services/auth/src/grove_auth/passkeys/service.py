"""The rules of having passkeys."""

from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError
from webauthn.helpers.structs import CredentialDeviceType
from webauthn.registration.verify_registration_response import VerifiedRegistration

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import InvalidToken
from grove_auth.alerts.service import AlertService
from grove_auth.models import Passkey, User
from grove_auth.passkeys.challenges import LIFETIME, Challenges
from grove_auth.passkeys.errors import ChallengeGone, InvalidPasskey, PasskeyNotFound, PasskeyTaken, TooManyPasskeys
from grove_auth.passkeys.relying_party import TRANSPORTS, NotProven, RelyingParty
from grove_auth.passkeys.repository import PasskeyRepository
from grove_auth.passkeys.schemas import AddPasskey, PasskeyOptions
from grove_auth.resources import Resources
from grove_auth.sessions.device import describe
from grove_auth.sign_ins.ways_in import keep_one_way_in
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

MOST = 20
"""Passkeys of one account."""


class PasskeyService:
    """Adds, lists and removes passkeys, and gives out what devices need to answer."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._passkeys = PasskeyRepository()
        self._challenges = Challenges()
        self._alerts = AlertService(resources)
        self._party = RelyingParty(resources.settings)

    async def options_to_register(self, user_id: UUID) -> PasskeyOptions:
        """For a device that shall make a passkey. Raises TooManyPasskeys."""
        user = await self._user(user_id)
        known = await self._passkeys.of_user(user_id)
        if len(known) >= MOST:
            raise TooManyPasskeys
        challenge_id, challenge = await self._challenges.new("register", user_id)
        return _options(challenge_id, self._party.to_register(user, known, challenge))

    async def options_to_sign_in(self) -> PasskeyOptions:
        """For a device that shall sign somebody in; who it is shows in its answer."""
        challenge_id, challenge = await self._challenges.new("sign_in")
        return _options(challenge_id, self._party.to_prove(challenge))

    async def options_to_reauthenticate(self, user_id: UUID) -> PasskeyOptions:
        """For a device that shall prove that its user is there."""
        known = await self._passkeys.of_user(user_id)
        challenge_id, challenge = await self._challenges.new("reauthenticate", user_id)
        return _options(challenge_id, self._party.to_prove(challenge, known, verification=True))

    async def add(self, user_id: UUID, data: AddPasskey) -> Passkey:
        """Register what a device made. Raises ChallengeGone, InvalidPasskey, PasskeyTaken or TooManyPasskeys."""
        challenge = await self._challenges.use_up(data.challenge_id, "register", user_id)
        if challenge is None:
            raise ChallengeGone
        try:
            made = self._party.check_new(data.credential, challenge)
        except NotProven as error:
            log.info("passkey.invalid", user_id=str(user_id), reason=str(error))
            await self._resources.audit.add("passkey.added", user_id, outcome="failure")
            raise InvalidPasskey from None
        user = await self._user(user_id)
        passkey = _passkey(user_id, data, made)

        async def store(transaction: AsyncClientSession) -> None:
            await self._users.update(user_id, {}, transaction)  # its lock: the count below holds, or all is undone
            if not await self._users.still(user, transaction):
                raise InvalidToken  # the account went, or its tokens ended, since it was read
            if len(await self._passkeys.of_user(user_id, transaction)) >= MOST:
                raise TooManyPasskeys
            await self._passkeys.insert(passkey, transaction)
            await self._alerts.add(transaction, user, "passkey_changed", change="added", passkey_name=passkey.name)
            await self._resources.audit.add("passkey.added", user_id, transaction, passkey=str(passkey.id))

        try:
            await self._resources.transaction(store)
        except DuplicateKeyError:
            raise PasskeyTaken from None
        return passkey

    async def of_user(self, user_id: UUID) -> list[Passkey]:
        """The user's passkeys, newest first."""
        return await self._passkeys.of_user(user_id)

    async def remove(self, user_id: UUID, passkey_id: UUID) -> None:
        """It signs nobody in any more. Raises PasskeyNotFound or LastWayIn."""

        async def store(transaction: AsyncClientSession) -> None:
            user = await self._users.held(user_id, transaction)
            if user is None:
                raise InvalidToken
            passkey = await self._passkeys.get(user_id, passkey_id, transaction)
            if passkey is None or not await self._passkeys.delete(user_id, passkey_id, transaction):
                raise PasskeyNotFound
            await keep_one_way_in(user, transaction)
            await self._alerts.add(transaction, user, "passkey_changed", change="removed", passkey_name=passkey.name)
            await self._resources.audit.add("passkey.removed", user_id, transaction, passkey=str(passkey_id))

        await self._resources.transaction(store)

    async def _user(self, user_id: UUID) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        return user


def _options(challenge_id: str, public_key: dict[str, object]) -> PasskeyOptions:
    return PasskeyOptions(challenge_id=challenge_id, expires_in=int(LIFETIME.total_seconds()), public_key=public_key)


def _passkey(user_id: UUID, data: AddPasskey, made: VerifiedRegistration) -> Passkey:
    context = current_context()
    return Passkey(
        user_id=user_id,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=[name for name in data.credential.response.transports if name in TRANSPORTS],
        device_bound=made.credential_device_type is CredentialDeviceType.SINGLE_DEVICE,
        backed_up=made.credential_backed_up,
        name=data.name or describe(context.user_agent if context else "", None).name,
        created_at=now(),
    )
