"""Routes of one's own mails."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_notification.deps import NotificationReader, ReadsDep
from grove_notification.mails.listing import FILTERS, MAIL_JSON, ORDERS, MailQuery
from grove_notification.mails.schemas import MailRead

router = APIRouter(prefix="/api/v1/emails", tags=["emails"], route_class=GroveRoute, responses=error_responses())

_MAILS = List(item=MAIL_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[MailQuery, query_as(MailQuery)]


@router.get("", response_model=Page[MailRead] | CursorPage[MailRead], openapi_extra=parameters_of(MailQuery))
async def list_mails(request: Request, user: NotificationReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List the mails to you, newest first. What they said is not kept."""
    return await _MAILS.answer(request, reads, wanted, {"user_id": user.user_id, **wanted.given})
