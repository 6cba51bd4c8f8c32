"""The route behind List-Unsubscribe: one click of a mail program, or of a person on the portal's page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.service.sessions import WriteSession
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_notification.deps import ResourcesDep
from grove_notification.unsubscribing.links import API_PATH, Unsubscribing, page_url
from grove_notification.unsubscribing.service import unsubscribe

Token = Annotated[str, Query(min_length=1, max_length=1000, description="From a mail's link")]

router = APIRouter(tags=["notification-preferences"], route_class=GroveRoute)

LIMIT = Limit("unsubscribe", 300, 60)
"""Per network. Generous: a mail provider clicks for all its users."""


@router.post(API_PATH, status_code=204, responses=error_responses(410, 429))
async def unsubscribe_by_link(
    _: Request,
    session: WriteSession,
    resources: ResourcesDep,
    token: Token,
) -> None:
    """Switch mails off by the link of one of them (RFC 8058), without signing in; again changes nothing.

    The link of a digest switches off all mails that can be. The body, `List-Unsubscribe=One-Click`, is not read.
    """
    context = current_context()
    await resources.limiter.enforce(LIMIT, network_of(context.client_ip if context else None))
    await unsubscribe(session, Unsubscribing.of(token, resources.mail_cipher))


@router.get(API_PATH, status_code=303, response_class=Response, responses=error_responses(429))
async def open_unsubscribe_page(resources: ResourcesDep, token: Token) -> Response:
    """Show a person the portal's page that switches mails off: for mail programs without one click (RFC 2369).

    This changes nothing, whoever opens it: scanners of mails open every link.
    """
    context = current_context()
    await resources.limiter.enforce(LIMIT, network_of(context.client_ip if context else None))
    headers = {"Location": page_url(resources.settings.link_base_url, token), "Cache-Control": "no-store"}
    return Response(status_code=303, headers=headers)
