"""Who may see the operators' pages.

The browser holds the access token in a cookie that no script can read and no other site can have sent. It is verified
on each request, here and not at the edge, and auth is asked each time whether it still counts: what is revoked is
refused by the next request.
"""

from collections.abc import Callable
from typing import Any

from grove.core.errors import GroveError, InvalidToken, ServiceUnavailable
from grove.messaging.revocation import TokenAnswer, TokenQuestion
from grove.security.principal import Principal
from grove.security.tokens import KeyCache, TokenVerifier
from grove.web.client import HttpClient
from grove_gateway.operators.errors import NotAnOperator
from grove_gateway.settings import GatewaySettings

COOKIE = "__Host-grove_operator"
PERMISSION = "ops:view"


class OperatorAccess:
    """Decides by the token alone; no header that a client or a proxy could set counts."""

    def __init__(self, settings: GatewaySettings, auth: Callable[[], HttpClient]) -> None:
        self._auth = auth
        self._verifier = TokenVerifier(
            KeyCache(self._keys), issuer=settings.public_auth_url, audience=settings.public_auth_url
        )

    async def operator(self, token: str) -> Principal:
        """The token's bearer. Raises InvalidToken, NotAnOperator, or ServiceUnavailable when auth can't be asked."""
        principal = await self._verifier.verify(token)
        if not await self._counts(principal):
            raise InvalidToken
        if not principal.has(PERMISSION):
            raise NotAnOperator
        return principal

    async def sign_out(self, token: str) -> None:
        """End the token's session. Raises a GroveError when auth can't be reached; an ended one is as good."""
        await self._auth().request(
            "POST", "/api/v1/auth/logout", retry=True, headers={"Authorization": f"Bearer {token}"}
        )

    async def _keys(self) -> dict[str, Any]:
        response = await self._auth().request("GET", "/.well-known/jwks.json")
        return dict(response.json())

    async def _counts(self, principal: Principal) -> bool:
        question = TokenQuestion.about(principal)
        try:
            response = await self._auth().request(
                "POST", "/internal/v1/introspect", retry=True, json=question.model_dump(mode="json")
            )
        except GroveError:
            raise ServiceUnavailable("Your sign-in can't be checked right now. Try again in a moment.") from None
        if response.status_code != 200:
            raise ServiceUnavailable("Your sign-in can't be checked right now. Try again in a moment.")
        return TokenAnswer.model_validate_json(response.content).active
