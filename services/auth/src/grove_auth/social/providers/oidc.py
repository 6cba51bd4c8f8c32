"""Any issuer that speaks OpenID Connect, Google among them; Apple with its own kind of client secret."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey

from grove.web.client import HttpClient
from grove_auth.social.providers.calls import object_of, text
from grove_auth.social.providers.configuration import ProviderSettings, is_safe
from grove_auth.social.providers.id_tokens import IdTokens
from grove_auth.social.providers.interface import Answer, Claims, ProviderMisbehaved, Question

DISCOVERY_FRESH_SECONDS = 3600
APPLE_SECRET_SECONDS = 300
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OidcProvider:
    """Discovery, code flow with PKCE, ID token; userinfo where the ID token has no address."""

    scope = "openid email profile"
    extra: Mapping[str, str] = {}
    can_reauthenticate = True

    def __init__(self, settings: ProviderSettings, client: HttpClient, secret: Callable[[], str]) -> None:
        self.key = settings.key
        self._settings = settings
        self._issuer = settings.issuer_url
        self._client = client
        self._secret = secret
        self._id_tokens = IdTokens(self._issuer, settings.client_id, self._fetch_keys)
        self._found: dict[str, Any] = {}
        self._found_at = 0.0

    async def authorization_url(self, question: Question) -> str:
        """Where the browser goes."""
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": question.redirect_uri,
            "scope": self.scope,
            "state": question.state,
            "nonce": question.nonce,
            "code_challenge": question.challenge,
            "code_challenge_method": "S256",
            **self.extra,
        }
        if question.fresh:
            query |= {"prompt": "login", "max_age": "0"}
        endpoint = (await self._discovered())["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def check_issuer(self, issuer: str | None) -> None:
        """It must be ours, and be there when the issuer promises it."""
        required = (await self._discovered()).get("authorization_response_iss_parameter_supported") is True
        if issuer != self._issuer and (required or issuer is not None):
            raise ProviderMisbehaved("issuer_of_answer")

    async def claims(self, answer: Answer) -> Claims:
        """Who it is."""
        found = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": answer.code,
            "redirect_uri": answer.redirect_uri,
            "code_verifier": answer.verifier,
        }
        tokens = await self._token(found, form)
        claims = await self._id_tokens.claims(text(tokens.get("id_token")), answer.nonce)
        if "email" not in claims and "userinfo_endpoint" in found:
            claims = await self._userinfo(found["userinfo_endpoint"], text(tokens.get("access_token")), claims)
        return self._read(claims)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def client_secret(self) -> str:
        """What proves that we are the client."""
        return self._secret()

    async def _token(self, found: Mapping[str, Any], form: dict[str, str]) -> dict[str, Any]:
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        client_id, secret = self._settings.client_id, self.client_secret()
        basic = None
        if "client_secret_basic" in methods:
            basic = httpx2.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))  # RFC 6749 section 2.3.1
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        return await object_of(
            self._client, "POST", found["token_endpoint"], reason="code_refused", data=form, auth=basic
        )

    async def _userinfo(self, url: str, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        told = await object_of(self._client, "GET", url, reason="userinfo", headers=headers)
        if told.get("sub") != claims["sub"]:
            raise ProviderMisbehaved("userinfo")
        return told | claims

    def _read(self, claims: Mapping[str, Any]) -> Claims:
        subject = claims["sub"]
        if not 0 < len(subject) <= 255 or not subject.isascii():
            raise ProviderMisbehaved("id_token_claims")
        return Claims(
            issuer=self._issuer,
            subject=subject,
            email=text(claims.get("email")) or None,
            email_verified=claims.get("email_verified") in (True, "true"),  # Apple says it as text
            name=text(claims.get("name")),
            locale=text(claims.get("locale")),
            timezone=text(claims.get("zoneinfo")),
            auth_time=_moment(claims.get("auth_time")),
        )

    async def _discovered(self) -> dict[str, Any]:
        """The issuer's metadata. Raises ProviderMisbehaved when they are another's, or not safe to use."""
        if self._found and time.monotonic() - self._found_at < DISCOVERY_FRESH_SECONDS:
            return self._found
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await object_of(self._client, "GET", url, reason="discovery")
        endpoints = [*ENDPOINTS, *(["userinfo_endpoint"] if "userinfo_endpoint" in found else [])]
        if found.get("issuer") != self._issuer or not all(self._is_ours(text(found.get(name))) for name in endpoints):
            raise ProviderMisbehaved("discovery")
        self._found, self._found_at = found, time.monotonic()
        return found

    def _is_ours(self, endpoint: str) -> bool:
        """Whether we call it: an issuer elsewhere can't have us call this machine."""
        return is_safe(endpoint) and (endpoint.startswith("https:") or self._issuer.startswith("http:"))

    async def _fetch_keys(self) -> dict[str, Any]:
        return await object_of(self._client, "GET", (await self._discovered())["jwks_uri"], reason="keys")


class AppleProvider(OidcProvider):
    """Sign in with Apple: the answer comes as a form, and the client secret is a JWT that lives for minutes."""

    scope = "openid email name"
    extra: Mapping[str, str] = {"response_mode": "form_post"}
    can_reauthenticate = False

    def client_secret(self) -> str:
        """A JWT signed with the team's key."""
        moment = int(time.time())
        claims = {
            "iss": self._settings.team_id,
            "sub": self._settings.client_id,
            "aud": self._issuer,
            "iat": moment,
            "exp": moment + APPLE_SECRET_SECONDS,
        }
        header = {"alg": "ES256", "kid": self._settings.key_id}
        return jwt.encode(header, claims, ECKey.import_key(self._secret()), algorithms=["ES256"])


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
