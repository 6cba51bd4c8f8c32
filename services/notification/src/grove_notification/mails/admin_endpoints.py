"""Routes for operators: every mail, and how the templates look."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from grove.outbox.postgres import Outbox
from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_notification.deps import MailReader, MailResender, ReadsDep, ResourcesDep, WriteSession
from grove_notification.mails.addresses import address_macs
from grove_notification.mails.admin_service import MailAdminService
from grove_notification.mails.catalogue import TEMPLATES
from grove_notification.mails.errors import TemplateNotFound
from grove_notification.mails.listing import ADMIN_MAIL_JSON, FILTERS, ORDERS, AdminMailQuery
from grove_notification.mails.rendering import Links, render
from grove_notification.mails.repository import NOTICES
from grove_notification.mails.samples import DEFAULT, SAMPLES, sample_of
from grove_notification.mails.schemas import (
    AdminMailRead,
    BounceReport,
    PreviewRead,
    Queued,
    ResendMany,
    TemplateRead,
    Templates,
)
from grove_notification.texts import LANGUAGES
from grove_notification.unsubscribing.links import page_url

router = APIRouter(
    prefix="/api/v1/admin/notification",
    tags=["administration"],
    route_class=GroveRoute,
    responses=error_responses(),
)

_MAILS = List(item=ADMIN_MAIL_JSON, filters=FILTERS, orders=ORDERS)
_TOKEN = "sample"  # noqa: S105 - a token of nothing
Wanted = Annotated[AdminMailQuery, query_as(AdminMailQuery)]


async def _service(user: MailResender, session: WriteSession, resources: ResourcesDep) -> MailAdminService:
    return MailAdminService(session, Outbox(session, resources.settings.service), user.user_id)


Mails = Annotated[MailAdminService, Depends(_service)]


@router.get(
    "/emails",
    response_model=Page[AdminMailRead] | CursorPage[AdminMailRead],
    openapi_extra=parameters_of(AdminMailQuery),
)
async def search_mails(
    request: Request, _: MailReader, reads: ReadsDep, resources: ResourcesDep, wanted: Wanted
) -> Response:
    """Search all mails, newest first. Those with status `failed` wait for you."""
    given = wanted.given
    if wanted.address is not None:
        given["macs"] = address_macs(resources.mail_cipher, wanted.address)
    return await _MAILS.answer(request, reads, wanted, given)


@router.post("/emails/resend")
async def resend_mails(wanted: ResendMany, mails: Mails) -> Queued:
    """Send mails again that failed or bounced: up to 1,000 of them, oldest first. What has expired stays."""
    return Queued(queued=await mails.resend_all(wanted))


@router.post("/emails/{mail_id}/resend", status_code=204, responses=error_responses(400, 404))
async def resend_mail(mail_id: UUID, mails: Mails) -> None:
    """Send a mail again that failed, bounced or was suppressed, whatever is known of its address.

    What was sent can't be sent again: its content is gone. Nor can what has expired: it would be of no use.
    """
    await mails.resend(mail_id)


@router.post("/emails/{mail_id}/bounced", status_code=204, responses=error_responses(400, 404))
async def report_bounce(mail_id: UUID, data: BounceReport, mails: Mails) -> None:
    """Tell that a mail came back after it was sent. Its address gets no notices until another mail arrives there."""
    await mails.bounced(mail_id, data.reason)


@router.get("/templates")
async def list_templates(_: MailReader) -> Templates:
    """List the mail templates."""
    items = [
        TemplateRead(name=each.name, kind=each.kind, locales=list(LANGUAGES), samples=list(SAMPLES[each.name]))
        for each in TEMPLATES.values()
    ]
    return Templates(items=sorted(items, key=lambda each: each.name))


@router.get("/templates/{name}", responses=error_responses(404))
async def preview_template(
    name: str,
    _: MailReader,
    resources: ResourcesDep,
    locale: Annotated[Literal["en", "de"], Query(description="The language")] = "en",
    sample: Annotated[str, Query(max_length=40, description="One of the template's `samples`")] = DEFAULT,
) -> PreviewRead:
    """Look at a template with sample values; its links lead nowhere. There is a sample for each thing it may say."""
    template = TEMPLATES.get(name)
    if template is None or sample not in SAMPLES[name]:
        raise TemplateNotFound
    settings = resources.settings
    rendered = render(
        name,
        locale=locale,
        links=Links(settings.link_base_url, settings.link_app_url),
        variables=sample_of(name, sample, locale),
        unsubscribe_url=page_url(settings.link_base_url, _TOKEN) if template.kind in NOTICES else None,
    )
    return PreviewRead(
        name=name, locale=locale, sample=sample, subject=rendered.subject, html=rendered.html, text=rendered.text
    )
