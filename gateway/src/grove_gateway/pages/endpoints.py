"""Routes of the pages."""

from fastapi import APIRouter
from starlette.responses import Response

from grove_gateway.deps import ResourcesDep
from grove_gateway.pages import mailed_links
from grove_gateway.pages.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def landing(resources: ResourcesDep) -> Response:
    """Where everything is."""
    return page("landing.html", resources.settings, services=sorted(resources.settings.services))


@router.get("/verify-email")
async def verify_email(resources: ResourcesDep) -> Response:
    """What the verification mail links to. The token stays in the fragment until a person clicks."""
    return page("mailed_link.html", resources.settings, link=mailed_links.VERIFY_EMAIL)


@router.get("/reset-password")
async def reset_password(resources: ResourcesDep) -> Response:
    """What the mail of a forgotten password links to."""
    return page("reset_password.html", resources.settings)


@router.get("/keep-account")
async def keep_account(resources: ResourcesDep) -> Response:
    """What the mail of a closed account links to."""
    return page("mailed_link.html", resources.settings, link=mailed_links.KEEP_ACCOUNT)


@router.get("/cancel-recovery")
async def cancel_recovery(resources: ResourcesDep) -> Response:
    """What the mail about a lost second factor links to."""
    return page("mailed_link.html", resources.settings, link=mailed_links.CANCEL_RECOVERY)


@router.get("/change-email")
async def change_email(resources: ResourcesDep) -> Response:
    """What the mail to a new address links to."""
    return page("mailed_link.html", resources.settings, link=mailed_links.CHANGE_EMAIL)


@router.get("/undo-email-change")
async def undo_email_change(resources: ResourcesDep) -> Response:
    """What the mail to an old address links to."""
    return page("mailed_link.html", resources.settings, link=mailed_links.UNDO_EMAIL_CHANGE)


@router.get("/not-me")
async def not_me(resources: ResourcesDep) -> Response:
    """What alert mails link to."""
    return page("mailed_link.html", resources.settings, link=mailed_links.NOT_ME)


@router.get("/unsubscribe")
async def unsubscribe(resources: ResourcesDep) -> Response:
    """What notices link to: mails that can be switched off."""
    return page("unsubscribe.html", resources.settings, calls_api=True)


@router.get("/connected")
async def connected(resources: ResourcesDep) -> Response:
    """Where a browser arrives after connecting a provider."""
    return page("connected.html", resources.settings)


@router.get("/not-connected")
async def not_connected(resources: ResourcesDep) -> Response:
    """Where it arrives when that came to nothing."""
    return page("not_connected.html", resources.settings)
