"""Routes of sign-in through providers."""

from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.auth import ANONYMOUS_LIMIT
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.query import parameters_of, query_as
from grove_auth.deps import LimiterDep, ResourcesDep, SessionUser, SteppedUpUser
from grove_auth.devices import cookies as device_cookies
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import TokenPair
from grove_auth.social import browser
from grove_auth.social.schemas import (
    AuthorizationUrl,
    Authorize,
    Destination,
    Exchange,
    ProviderAnswer,
    ProviderForm,
)
from grove_auth.social.service import SocialService

router = APIRouter(
    prefix="/api/v1/auth/oauth",
    tags=["social sign-in"],
    route_class=GroveRoute,
    responses=error_responses(404, 410, 502, 504),
)

MAX_FORM_FIELDS = 20
M = TypeVar("M", bound=BaseModel)


async def _service(resources: ResourcesDep) -> SocialService:
    return SocialService(resources)


async def _within_limit(limiter: LimiterDep) -> None:
    context = current_context()
    await limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))


Social = Annotated[SocialService, Depends(_service)]
Wanted = Annotated[Authorize, query_as(Authorize)]
Came = Annotated[ProviderAnswer, query_as(ProviderAnswer)]
Key = Annotated[str, Path(max_length=32)]
Limited = Depends(_within_limit)


@router.get(
    "/{provider}/authorize",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[Limited],
    openapi_extra=parameters_of(Authorize),
)
async def authorize(provider: Key, request: Request, social: Social, wanted: Wanted) -> RedirectResponse:
    """Go to a provider to sign in: open this in the user's browser.

    It ends at `redirect_uri` with `code`, to be swapped at `/oauth/exchange` within a minute, or with `error` and
    `error_description`. Send a `code_challenge`, so that nobody can slip a code of their own account to your app.
    """
    key = browser.key_of(request) or browser.new_key()
    answer = RedirectResponse(await social.authorize(provider, wanted, key), 303)
    browser.remember(answer, key)
    return answer


@router.post("/{provider}/link")
async def link(
    provider: Key, data: Destination, request: Request, response: Response, user: SteppedUpUser, social: Social
) -> AuthorizationUrl:
    """Link a provider to your account: open `authorization_url` in the same browser. Sign in at most 5 minutes before.

    It ends at `redirect_uri` with `linked`, or with `error` and `error_description`.
    """
    key = browser.key_of(request) or browser.new_key()
    url = await social.link(provider, user, data.redirect_uri, key)
    browser.remember(response, key)
    return AuthorizationUrl(authorization_url=url)


@router.post("/{provider}/reauthenticate")
async def reauthenticate_at(
    provider: Key, data: Destination, request: Request, response: Response, user: SessionUser, social: Social
) -> AuthorizationUrl:
    """Prove at a linked provider that it is you: open `authorization_url` in the same browser; it asks you to sign in.

    It ends at `redirect_uri` with `code`, to be sent to `/reauthenticate` as `provider_code` within a minute, or with
    `error` and `error_description`.
    """
    key = browser.key_of(request) or browser.new_key()
    url = await social.reauthenticate(provider, user, data.redirect_uri, key)
    browser.remember(response, key)
    return AuthorizationUrl(authorization_url=url)


@router.get(
    "/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[Limited],
    openapi_extra=parameters_of(ProviderAnswer),
)
async def callback(provider: Key, request: Request, social: Social, came: Came) -> RedirectResponse:
    """Where a provider sends the browser back; the browser goes on to the app."""
    return RedirectResponse(await social.finish(provider, came, browser.key_of(request)), 303)


@router.post("/{provider}/callback", status_code=303, response_class=RedirectResponse, dependencies=[Limited])
async def posted_callback(provider: Key, request: Request, social: Social) -> RedirectResponse:
    """The same for providers that post a form."""
    form = await _form(request, ProviderForm)
    return RedirectResponse(await social.posted(provider, form), 303)


@router.post("/exchange", dependencies=[Limited])
async def exchange(data: Exchange, request: Request, response: Response, social: Social) -> TokenPair:
    """Swap the code that came with the browser for tokens, as at `/login`. It works once, for a minute."""
    return cookies.answer(response, await social.exchange(data, device_cookies.token_of(request)))


async def _form(request: Request, model: type[M]) -> M:
    """The posted form as `model`. Raises RequestValidationError."""
    try:
        fields = parse_qsl((await request.body()).decode(), max_num_fields=MAX_FORM_FIELDS)
        return model.model_validate(dict(fields))
    except ValidationError as invalid:
        wrong = [{**error, "loc": ("body", *error["loc"])} for error in invalid.errors()]
        raise RequestValidationError(wrong) from None
    except ValueError:
        wrong_form = {"type": "form", "loc": ("body",), "msg": "must be a form", "input": None}
        raise RequestValidationError([wrong_form]) from None
