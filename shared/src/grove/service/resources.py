"""What every service's processes hold: TLS material, broker, Valkey, limits, sign-in. Services add their store."""

import asyncio
from collections.abc import Sequence

from grove.core.errors import UpstreamError
from grove.core.flags import Flags
from grove.core.settings import ServiceSettings
from grove.messaging.broker import Broker
from grove.messaging.revocation import (
    RevocationFeed,
    Snapshot,
    TokenAnswer,
    TokenAnswers,
    TokenGate,
    TokenQuestion,
    TokenQuestions,
)
from grove.security.mtls import TlsMaterial
from grove.security.tokens import KeyCache, TokenVerifier
from grove.valkey.client import create_valkey
from grove.web.api_keys import ApiKeyVerifier, KeyAnswer, KeyQuestion
from grove.web.auth import Authenticator
from grove.web.client import HttpClient, internal_client
from grove.web.rate_limit import DEVELOPMENT_FACTOR, RateLimiter

ASKED_AT_ONCE = 16
"""Single questions under way, in place of one with all: fewer than the client has connections."""


class ServiceResources:
    """Built once per process; `aclose` closes what was opened."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.tls = TlsMaterial(settings.tls_identity_file, settings.tls_ca_file)
        self.broker = Broker(settings.broker_url, self.tls, settings.instance or settings.service)
        self.valkey = create_valkey(settings)
        self.flags = Flags(settings.feature_flags_file, settings.service)
        factor = DEVELOPMENT_FACTOR if settings.limits == "development" else 1
        self.limiter = RateLimiter(self.valkey, settings.service, factor=factor)

    async def aclose(self) -> None:
        """Close connections."""
        await self.valkey.aclose()


class SignIn:
    """How a service other than auth checks tokens: keys, snapshot and introspection from auth over mTLS."""

    def __init__(self, settings: ServiceSettings, resources: ServiceResources) -> None:
        self._auth: HttpClient = internal_client("auth", settings.auth_internal_url, resources.tls)
        keys = KeyCache(self._keys)
        self.feed = RevocationFeed(settings.service, resources.broker, self._snapshot, keys_changed=keys.expect_change)
        self.gate = TokenGate(self.feed, self._introspect, self._introspect_each)
        self.authenticator = Authenticator(
            verifier=TokenVerifier(keys, issuer=settings.public_auth_url, audience=settings.public_api_url),
            gate=self.gate,
            limiter=resources.limiter,
            api_keys=ApiKeyVerifier(self._introspect_key, resources.limiter),
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._auth.aclose()

    async def _keys(self) -> dict[str, object]:
        response = await self._auth.request("GET", "/.well-known/jwks.json")
        return dict(response.json())

    async def _snapshot(self) -> Snapshot:
        response = await self._auth.request("GET", "/internal/v1/revocations")
        if response.status_code != 200:
            raise UpstreamError(f"auth refused the revocation snapshot: {response.status_code}.")
        return Snapshot.model_validate_json(response.content)

    async def _introspect(self, question: TokenQuestion) -> TokenAnswer:
        response = await self._auth.request(
            "POST", "/internal/v1/introspect", retry=True, json=question.model_dump(mode="json")
        )
        if response.status_code != 200:
            raise UpstreamError(f"auth refused to introspect: {response.status_code}.")
        return TokenAnswer.model_validate_json(response.content)

    async def _introspect_each(self, questions: Sequence[TokenQuestion]) -> Sequence[bool]:
        asked = TokenQuestions(questions=list(questions))
        response = await self._auth.request(
            "POST", "/internal/v1/introspect/batch", retry=True, json=asked.model_dump(mode="json")
        )
        if response.status_code == 404:
            return await self._one_by_one(questions)
        if response.status_code != 200:
            raise UpstreamError(f"auth refused to introspect several tokens: {response.status_code}.")
        active = TokenAnswers.model_validate_json(response.content).active
        if len(active) != len(questions):
            raise UpstreamError(f"auth answered {len(active)} of {len(questions)} questions.")
        return active

    async def _one_by_one(self, questions: Sequence[TokenQuestion]) -> Sequence[bool]:
        """An auth of before that route answers: while services are replaced one after the other."""
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(question: TokenQuestion) -> bool:
            async with turns:
                return (await self._introspect(question)).active

        return await asyncio.gather(*map(one, questions))

    async def _introspect_key(self, question: KeyQuestion) -> KeyAnswer:
        response = await self._auth.request(
            "POST", "/internal/v1/introspect-key", retry=True, json=question.model_dump(mode="json")
        )
        if response.status_code != 200:
            raise UpstreamError(f"auth refused to introspect an API key: {response.status_code}.")
        return KeyAnswer.model_validate_json(response.content)
