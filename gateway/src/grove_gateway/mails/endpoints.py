"""Routes of the pages that show how mails look.

A mail brings styles of its own, which the portal's pages do not allow: it is an answer of its own, which may do nothing
at all but look, and is framed by its page.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from grove.core.errors import GroveError
from grove.security.principal import Principal
from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.mails import service as mails
from grove_gateway.operators.access import COOKIE
from grove_gateway.operators.deps import sees
from grove_gateway.operators.errors import NotAnOperator, SignInNeeded
from grove_gateway.pages.rendering import page

FRAME_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
LINKS_GO_NOWHERE = '<base target="_blank">'
"""A sandbox opens no other window. It stands last: before the mail's doctype, it would change how the mail looks."""
MailReader = Annotated[Principal, sees("mail:read")]
Name = Annotated[str, Path(pattern=r"^[a-z0-9_]{1,60}$")]
Sample = Annotated[str, Query(pattern=r"^[a-z0-9_]{1,40}$")]
DEFAULT = "default"
LOCALE = r"^[a-z]{2}(-[A-Z]{2})?$"

router = APIRouter(prefix="/operator/mails", include_in_schema=False, dependencies=[AtHome])


@router.get("")
async def listed(request: Request, _: MailReader, resources: ResourcesDep) -> Response:
    """Every template, its languages and its samples."""
    found, problem, status = [], "", 200
    try:
        found = await mails.templates(resources, request.cookies[COOKIE])
    except (SignInNeeded, NotAnOperator):
        raise
    except GroveError as error:
        problem, status = error.message, error.status
    return page("mails.html", resources.settings, status=status, templates=found, problem=problem)


@router.get("/{name}")
async def mail(
    request: Request,
    name: Name,
    locale: Annotated[str, Query(pattern=LOCALE)],
    _: MailReader,
    resources: ResourcesDep,
    sample: Sample = DEFAULT,
) -> Response:
    """A mail: its subject, how it looks, and its text."""
    found, problem, status = None, "", 200
    try:
        found = await mails.preview(resources, request.cookies[COOKIE], name, locale, sample)
    except (SignInNeeded, NotAnOperator):
        raise
    except GroveError as error:
        problem, status = error.message, error.status
    return page(
        "mail.html",
        resources.settings,
        status=status,
        frames=True,
        name=name,
        locale=locale,
        sample=sample,
        mail=found,
        problem=problem,
    )


@router.get("/{name}/{locale}")
async def frame(
    request: Request,
    name: Name,
    locale: Annotated[str, Path(pattern=LOCALE)],
    _: MailReader,
    resources: ResourcesDep,
    sample: Sample = DEFAULT,
) -> Response:
    """The mail itself, to be framed: no script, nothing from elsewhere, and its links go nowhere."""
    found = await mails.preview(resources, request.cookies[COOKIE], name, locale, sample)
    headers = {"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(found["html"] + LINKS_GO_NOWHERE, media_type="text/html", headers=headers)
