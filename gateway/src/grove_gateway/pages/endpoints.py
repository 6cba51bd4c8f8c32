"""Routes of the pages."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.pages import mailed_links
from grove_gateway.pages.mailed_links import MailedLink
from grove_gateway.pages.rendering import page
from grove_gateway.pages.texts import language_of
from grove_gateway.resources import Resources

router = APIRouter(include_in_schema=False, dependencies=[AtHome])


@router.get("/")
async def landing(resources: ResourcesDep) -> Response:
    """Where everything is."""
    return page("landing.html", resources.settings)


@router.get("/verify-email")
async def verify_email(request: Request, resources: ResourcesDep) -> Response:
    """What the verification mail links to. The token stays in the fragment until a person clicks."""
    return _mailed(request, resources, mailed_links.VERIFY_EMAIL)


@router.get("/reset-password")
async def reset_password(request: Request, resources: ResourcesDep) -> Response:
    """What the mail of a forgotten password links to."""
    return _in_their_language(request, resources, "reset_password.html")


@router.get("/keep-account")
async def keep_account(request: Request, resources: ResourcesDep) -> Response:
    """What the mail of a closed account links to."""
    return _mailed(request, resources, mailed_links.KEEP_ACCOUNT)


@router.get("/cancel-recovery")
async def cancel_recovery(request: Request, resources: ResourcesDep) -> Response:
    """What the mail about a lost second factor links to."""
    return _mailed(request, resources, mailed_links.CANCEL_RECOVERY)


@router.get("/change-email")
async def change_email(request: Request, resources: ResourcesDep) -> Response:
    """What the mail to a new address links to."""
    return _mailed(request, resources, mailed_links.CHANGE_EMAIL)


@router.get("/undo-email-change")
async def undo_email_change(request: Request, resources: ResourcesDep) -> Response:
    """What the mail to an old address links to."""
    return _mailed(request, resources, mailed_links.UNDO_EMAIL_CHANGE)


@router.get("/not-me")
async def not_me(request: Request, resources: ResourcesDep) -> Response:
    """What alert mails link to."""
    return _mailed(request, resources, mailed_links.NOT_ME)


@router.get("/unsubscribe")
async def unsubscribe(request: Request, resources: ResourcesDep) -> Response:
    """What notices link to: mails that can be switched off."""
    return _in_their_language(request, resources, "unsubscribe.html", calls_api=True)


@router.get("/connected")
async def connected(request: Request, resources: ResourcesDep) -> Response:
    """Where a browser arrives after connecting a provider."""
    return _in_their_language(request, resources, "connected.html")


@router.get("/not-connected")
async def not_connected(request: Request, resources: ResourcesDep) -> Response:
    """Where it arrives when that came to nothing."""
    return _in_their_language(request, resources, "not_connected.html")


def _mailed(request: Request, resources: Resources, link: MailedLink) -> Response:
    return _in_their_language(request, resources, "mailed_link.html", link=link)


def _in_their_language(
    request: Request,
    resources: Resources,
    template: str,
    *,
    calls_api: bool = False,
    link: MailedLink | None = None,
) -> Response:
    language = language_of(request.headers.get("accept-language", ""))
    answer = page(template, resources.settings, language=language, calls_api=calls_api, link=link)
    answer.headers["Content-Language"] = language
    answer.headers["Vary"] = "Accept-Language"
    return answer
