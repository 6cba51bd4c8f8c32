"""The rules of sign-in through a provider: a browser goes there, comes back, and the app swaps a code for tokens."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlencode

import structlog

from grove.core.clock import now
from grove.core.errors import GroveError, ServiceUnavailable, UpstreamError, UpstreamTimeout
from grove.security.principal import Principal
from grove_auth.identities.service import IdentityService
from grove_auth.models import OAuthCode, OAuthFlow, User
from grove_auth.models.oauth import Purpose
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.resources import Resources
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.sign_ins.service import SignInService
from grove_auth.social import browser, rules
from grove_auth.social.errors import (
    DESCRIPTIONS,
    CannotReauthenticate,
    CodeGone,
    FlowGone,
    NotYourBrowser,
    RedirectNotListed,
    SocialFailed,
)
from grove_auth.social.providers.interface import Answer, Claims, Provider, ProviderMisbehaved, Question
from grove_auth.social.repository import SocialRepository
from grove_auth.social.schemas import Authorize, Exchange, ProviderAnswer, ProviderForm
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

CODE_SECONDS = 60
SKEW = timedelta(seconds=30)
AMR = ("fed",)
DENIALS = {"access_denied", "user_cancelled_authorize"}


class SocialService:
    """Begins and finishes sign-ins at providers, and links what they prove."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._flows = SocialRepository()
        self._users = UserRepository()
        self._identities = IdentityService(resources)
        self._sign_ins = SignInService(resources)

    async def authorize(self, key: str, wanted: Authorize, browser_key: str) -> str:
        """Where to send a browser that wants to sign in; back to the app when the provider fails.

        Raises ProviderNotFound or RedirectNotListed.
        """
        provider = self._resources.providers.get(key)
        self._check_listed(wanted.redirect_uri, "query")
        flow = OAuthFlow(
            id=b"",
            purpose="sign_in",
            provider=key,
            browser_hash=token_hash(browser_key),
            redirect_uri=wanted.redirect_uri,
            code_challenge=wanted.code_challenge,
            options=wanted.model_dump(include=set(SessionOptions.model_fields)),
            expires_at=now() + timedelta(seconds=browser.FLOW_SECONDS),
        )
        try:
            return await self._begin(provider, flow, browser_key)
        except GroveError as failed:
            log.warning("social.unavailable", provider=key, error=failed.message)
            return await self._failed(flow, SocialFailed("temporarily_unavailable", "unavailable"))

    async def link(self, key: str, user: Principal, redirect_uri: str, browser_key: str) -> str:
        """Where to send the browser of who wants to link a provider to the account they are signed in to.

        Raises ProviderNotFound, RedirectNotListed, or what calls to the provider raise.
        """
        self._check_listed(redirect_uri, "body")
        flow = _of_session("link", key, user, redirect_uri, browser_key)
        return await self._begin(self._resources.providers.get(key), flow, browser_key)

    async def reauthenticate(self, key: str, user: Principal, redirect_uri: str, browser_key: str) -> str:
        """Where to send the browser of who shall prove at a linked provider that it is them.

        Raises ProviderNotFound, CannotReauthenticate, RedirectNotListed, or what calls to the provider raise.
        """
        provider = self._resources.providers.get(key)
        if not provider.can_reauthenticate:
            raise CannotReauthenticate
        self._check_listed(redirect_uri, "body")
        flow = _of_session("reauthenticate", key, user, redirect_uri, browser_key)
        return await self._begin(provider, flow, browser_key)

    async def posted(self, key: str, form: ProviderForm) -> str:
        """Where to send a browser that came back with a form: to the callback again, as a plain navigation.

        Posted from another site it brings no cookies, which are what binds the sign-in to it; the navigation does.
        """
        self._resources.providers.get(key)
        name = rules.name_in(form.user) if form.user else None
        if name:
            await self._flows.name(token_hash(form.state), key, name)
        answer = form.model_dump(include=set(ProviderAnswer.model_fields), exclude_none=True)
        return f"{self._callback_url(key)}?{urlencode(answer)}"

    async def finish(self, key: str, answer: ProviderAnswer, browser_key: str | None) -> str:
        """Where to send the browser that came back: to the app, with a code or an error.

        Raises ProviderNotFound, FlowGone or NotYourBrowser.
        """
        provider = self._resources.providers.get(key)
        flow = await self._take(key, answer.state, browser_key)
        try:
            claims = await self._claims(provider, answer, browser_key or "")
            if flow.purpose == "link":
                await self._identities.link(flow, claims)
                return _back(flow.redirect_uri, linked=key)
            if flow.purpose == "reauthenticate":
                user = await self._proven(flow, claims)
            else:
                user = await self._identities.account_of(key, claims, flow.name)
            return _back(flow.redirect_uri, code=await self._code(flow, user))
        except SocialFailed as failed:
            return await self._failed(flow, failed)

    async def exchange(self, data: Exchange, device: str | None = None) -> SessionTokens:
        """Tokens for a code. `device`: the token of the browser's device cookie.

        Raises CodeGone, and what `SignInService.proceed` raises.
        """
        code = await self._flows.code(token_hash(data.code))
        challenge = browser.challenge(data.code_verifier) if data.code_verifier else None
        taken = code is not None and await self._flows.take_code(code, challenge)
        user = await self._users.get(code.user_id) if code and taken else None
        if code is None or user is None or user.token_version != code.token_version:
            subject = code.user_id if code else None
            await self._resources.audit.add("social.failed", subject, outcome="failure", reason="code")
            raise CodeGone
        return await self._sign_ins.proceed(user, SessionOptions(**code.options), AMR, device)

    async def _begin(self, provider: Provider, flow: OAuthFlow, browser_key: str) -> str:
        state = new_token()
        question = Question(
            state=state,
            nonce=browser.nonce(browser_key, state),
            challenge=browser.challenge(browser.verifier(browser_key, state)),
            redirect_uri=self._callback_url(provider.key),
            fresh=flow.purpose == "reauthenticate",
        )
        try:
            async with self._patience():
                url = await provider.authorization_url(question)
        except ProviderMisbehaved as error:
            raise UpstreamError(f"{provider.key}: {error.reason}") from None
        flow.id = token_hash(state)
        await self._flows.add_flow(flow)
        return url

    async def _take(self, key: str, state: str, browser_key: str | None) -> OAuthFlow:
        """The flow of the state, used up. Raises FlowGone or NotYourBrowser."""
        flow = await self._flows.flow(token_hash(state))
        if flow is None or flow.provider != key:
            raise FlowGone
        if browser_key is None or not secrets.compare_digest(token_hash(browser_key), flow.browser_hash):
            await self._audit_failure(flow, "browser")
            raise NotYourBrowser
        if not await self._flows.take_flow(flow):
            raise FlowGone
        return flow

    async def _claims(self, provider: Provider, answer: ProviderAnswer, browser_key: str) -> Claims:
        """Who it is, says the provider. Raises SocialFailed."""
        given = Answer(
            code=answer.code or "",
            verifier=browser.verifier(browser_key, answer.state),
            nonce=browser.nonce(browser_key, answer.state),
            redirect_uri=self._callback_url(provider.key),
        )
        try:
            async with self._patience():
                await provider.check_issuer(answer.iss)
                if answer.error or not answer.code:
                    raise _refusal(answer.error or "")
                return await provider.claims(given)
        except ProviderMisbehaved as error:
            log.warning("social.refused", provider=provider.key, reason=error.reason)
            raise SocialFailed("provider_error", error.reason) from None
        except (UpstreamError, UpstreamTimeout, ServiceUnavailable) as error:
            log.warning("social.unavailable", provider=provider.key, error=error.message)
            raise SocialFailed("temporarily_unavailable", "unavailable") from None

    async def _proven(self, flow: OAuthFlow, claims: Claims) -> User:
        """The flow's user, who proved just now at a linked provider that it is them. Raises SocialFailed."""
        begun_at = flow.expires_at - timedelta(seconds=browser.FLOW_SECONDS)
        if claims.auth_time is None or claims.auth_time < begun_at - SKEW:
            raise SocialFailed("provider_error", "auth_time")
        user = await self._identities.opened_by(claims)
        if user is None or user.id != flow.user_id:
            raise SocialFailed("identity_not_linked")
        return user

    async def _code(self, flow: OAuthFlow, user: User) -> str:
        code = new_token()
        await self._flows.add_code(
            OAuthCode(
                id=token_hash(code),
                provider=flow.provider,
                user_id=user.id,
                session_id=flow.session_id,
                token_version=user.token_version,
                code_challenge=flow.code_challenge,
                options=flow.options,
                expires_at=now() + timedelta(seconds=CODE_SECONDS),
            )
        )
        return code

    async def _failed(self, flow: OAuthFlow, failed: SocialFailed) -> str:
        await self._audit_failure(flow, failed.reason)
        return _back(flow.redirect_uri, error=failed.error, error_description=DESCRIPTIONS[failed.error])

    async def _audit_failure(self, flow: OAuthFlow, reason: str) -> None:
        await self._resources.audit.add(
            "social.failed",
            flow.user_id,
            outcome="failure",
            provider=flow.provider,
            purpose=flow.purpose,
            reason=reason,
        )

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """A user waits: all calls together may take as long as one."""
        try:
            async with asyncio.timeout(self._settings.oauth_seconds):
                yield
        except TimeoutError:
            raise UpstreamTimeout from None

    def _check_listed(self, redirect_uri: str, place: str) -> None:
        if redirect_uri not in self._settings.oauth_redirect_uris:
            raise RedirectNotListed(place)

    def _callback_url(self, key: str) -> str:
        return f"{self._settings.public_auth_url}/api/v1/auth/oauth/{key}/callback"


def _of_session(purpose: Purpose, key: str, user: Principal, redirect_uri: str, browser_key: str) -> OAuthFlow:
    """A flow of somebody who is signed in."""
    return OAuthFlow(
        id=b"",
        purpose=purpose,
        provider=key,
        browser_hash=token_hash(browser_key),
        redirect_uri=redirect_uri,
        user_id=user.user_id,
        session_id=user.session_id,
        token_version=user.version,
        expires_at=now() + timedelta(seconds=browser.FLOW_SECONDS),
    )


def _refusal(error: str) -> SocialFailed:
    """What the provider's word for its refusal means."""
    if error in DENIALS:
        return SocialFailed("access_denied")
    if error == "temporarily_unavailable":
        return SocialFailed(error, "unavailable")
    return SocialFailed("provider_error", "refused")


def _back(redirect_uri: str, **values: str) -> str:
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(values)}"
