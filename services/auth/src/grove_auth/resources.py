"""What the processes of the auth service hold; the tests build the same."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from beanie import init_beanie
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.mongo.client import Document, create_client, in_transaction
from grove.observability.health import Health
from grove.outbox.age import OutboxAge
from grove.outbox.mongo import MongoInbox, MongoOutbox
from grove.security.encryption import FieldCipher
from grove.security.tokens import KeyCache, TokenVerifier
from grove.service.resources import ServiceResources
from grove.web.api_keys import ApiKeyVerifier
from grove.web.auth import Authenticator
from grove_auth.api_keys.bearers import KeyBearers
from grove_auth.audit.keys import AuditKeys
from grove_auth.audit.log import AuditLog
from grove_auth.audit.repository import AuditRepository
from grove_auth.audit.sealer import Sealer
from grove_auth.keys.service import KeyService
from grove_auth.lockout.guesses import Guesses
from grove_auth.mfa.sms import HttpSms, SmsSender
from grove_auth.models import AUDIT_DOCUMENTS, DOCUMENTS
from grove_auth.passwords.hasher import CORES, PasswordHasher
from grove_auth.passwords.turns import Turns
from grove_auth.places.geo import GeoDatabase
from grove_auth.revocations.publisher import RevocationPublisher
from grove_auth.revocations.service import RevocationService
from grove_auth.roles.lookup import RoleLookup
from grove_auth.sessions.gate import SessionGate
from grove_auth.settings import AuthSettings
from grove_auth.social.providers.registry import Providers
from grove_auth.token_versions.store import GlobalVersion
from grove_auth.users.facts import AccountFacts

T = TypeVar("T")

SIGN_INS_AT_ONCE = CORES + 1
"""By password: one is at the database while the others hash. The rest wait before they ask it anything, so that a storm
of them is felt by nobody else."""


class Resources(ServiceResources):
    """Everything of both processes."""

    def __init__(self, settings: AuthSettings, client: "AsyncMongoClient[Document] | None" = None) -> None:
        """`client`: one that is open already; document classes know one only."""
        super().__init__(settings)
        self.settings = settings
        self.client = client or create_client(settings)
        self.database = self.client[settings.mongo_database or settings.service]
        self.audit_database = self.client[f"{self.database.name}_audit"]
        self.outbox = MongoOutbox(self.client, self.database.name, settings.service)
        self.inbox = MongoInbox(self.client, self.database.name)
        self.audit = AuditLog()
        self.sealer = Sealer(
            AuditRepository(self.audit_database), AuditKeys(lambda: settings.secrets.read("audit_key_ring"))
        )
        self.facts = AccountFacts(self.outbox)
        self.passwords = PasswordHasher(settings)
        self.sign_in_turns = Turns(SIGN_INS_AT_ONCE, settings.password_queue)
        self.guesses = Guesses(self.valkey, settings, self.audit)
        self.geo = GeoDatabase(settings.geoip_database)
        self.mail_cipher = FieldCipher(lambda: settings.secrets.read("mail_key_ring"))
        self.mfa_cipher = FieldCipher(lambda: settings.secrets.read("mfa_key_ring"))
        self.sms: SmsSender | None = HttpSms(settings) if settings.sms_url else None
        self.roles = RoleLookup()
        self.keys = KeyService(settings, FieldCipher(lambda: settings.secrets.read("signing_key_ring")), self.roles)
        self.revocations = RevocationService(
            self.database, tokens_live=timedelta(minutes=settings.access_token_minutes)
        )
        self.providers = Providers(settings)
        self.publisher = RevocationPublisher(self.broker, self.revocations)
        self.token_versions = GlobalVersion(self.database)
        self.key_bearers = KeyBearers(self.token_versions)
        self.gate = SessionGate(self.keys, self.token_versions, self.key_bearers)
        self.authenticator = Authenticator(
            verifier=TokenVerifier(
                KeyCache(self.keys.jwks, cooldown_seconds=0),  # they are at hand
                issuer=settings.public_auth_url,
                audience=settings.public_auth_url,
            ),
            gate=self.gate,
            limiter=self.limiter,
            on_refused=self.audit.refused,
            api_keys=ApiKeyVerifier(self.key_bearers.answer, self.limiter),
        )

    async def start(self, *, create_indexes: bool = False) -> None:
        """Bind the document classes to the databases."""
        skip = not create_indexes
        await init_beanie(database=self.database, document_models=DOCUMENTS, skip_indexes=skip)
        await init_beanie(database=self.audit_database, document_models=AUDIT_DOCUMENTS, skip_indexes=skip)
        if create_indexes:
            await self.outbox.create_indexes()
            await self.inbox.create_indexes()

    async def transaction(self, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Run `work` in a transaction; what it revokes is published at once."""
        result = await in_transaction(self.client, work)
        self.revocations.added.set()
        return result

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        self.passwords.close()
        if self.sms is not None:
            await self.sms.aclose()
        self.geo.close()
        await self.providers.aclose()
        await self.client.close()

    def health(self) -> Health:
        """The checks of both processes."""
        return Health(
            required={"database": self._check_database},
            degrading={
                "cache": self._check_valkey,
                "outbox": OutboxAge(self.outbox).check,
                "revocation_feed": self.publisher.check,
                "audit_seals": self.sealer.check,
            },
        )

    async def _check_database(self) -> str | None:
        await self.database["users"].find_one({"_id": 0})
        return None

    async def _check_valkey(self) -> str | None:
        await self.valkey.ping()
        return None
