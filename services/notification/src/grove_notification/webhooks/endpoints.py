"""Webhook routes."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, content_etag, etag
from grove.web.pagination import CursorPage, ListQuery, Page
from grove.web.query import parameters_of, query_as
from grove_notification.deps import ReadsDep, ResourcesDep, WebhookReader, WebhookWriter
from grove_notification.models import Webhook
from grove_notification.webhooks.describing import event_types
from grove_notification.webhooks.errors import UrlRefused
from grove_notification.webhooks.event_types import scopes_of
from grove_notification.webhooks.listing import FILTERS, ORDERS
from grove_notification.webhooks.repository import WEBHOOK_JSON, WebhookQueries
from grove_notification.webhooks.schemas import (
    EventTypesRead,
    Rotation,
    WebhookCreate,
    WebhookPatch,
    WebhookRead,
    WebhookReplace,
    WebhookWithSecret,
    read,
    read_with_secret,
)
from grove_notification.webhooks.wiring import WebhookOnce, Webhooks, check_url, demand_scopes

router = APIRouter(
    prefix="/api/v1/webhooks", tags=["webhooks"], route_class=GroveRoute, responses=error_responses(404, 412)
)

_WEBHOOK = TypeAdapter(WebhookRead)
_WITH_SECRET = TypeAdapter(WebhookWithSecret)
_WEBHOOKS = List(item=WEBHOOK_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[ListQuery, query_as(ListQuery)]


async def _new_url(
    data: WebhookCreate, user: WebhookWriter, request: Request, resources: ResourcesDep
) -> UrlRefused | None:
    """Why the URL is refused. A request that is repeated is answered as before, whatever its URL leads to by now; and
    that it is one is known later, in the transaction, which must not wait for name servers.
    """
    await demand_scopes(request, user, scopes_of(data.event_types))
    try:
        await check_url(resources, data.url)
    except UrlRefused as refused:
        return refused
    return None


NewUrl = Depends(_new_url)


async def _other_url(data: WebhookReplace, _: WebhookWriter, resources: ResourcesDep) -> None:
    await check_url(resources, data.url)


async def _perhaps_other_url(data: WebhookPatch, _: WebhookWriter, resources: ResourcesDep) -> None:
    if "url" in data.model_fields_set:
        await check_url(resources, data.url)


@router.get("", response_model=Page[WebhookRead] | CursorPage[WebhookRead], openapi_extra=parameters_of(ListQuery))
async def list_webhooks(request: Request, user: WebhookReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List your webhooks, newest first."""
    return await _WEBHOOKS.answer(request, reads, wanted, {"user_id": user.user_id, "there": True})


@router.post("", status_code=201, response_model=WebhookWithSecret, dependencies=[NewUrl, WebhookOnce])
async def create_webhook(
    data: WebhookCreate, webhooks: Webhooks, refused: Annotated[UrlRefused | None, NewUrl]
) -> Response:
    """Create a webhook; 20 at most. Its `secret` is shown in this answer only.

    Deliveries are signed by Standard Webhooks. URLs that lead to an address which is not public are a 422, and so are
    ports other than the operator's; what a name leads to is asked again at each delivery. The token needs the scopes of
    all event types that `event_types` is for; the webhook outlives the token.
    """
    if refused is not None:
        raise refused
    webhook, secret = await webhooks.create(data)
    answer = _with_secret(webhook, secret, status=201)
    answer.headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    return answer


@router.get("/event-types", response_model=EventTypesRead, responses={304: {"description": "You have what there is"}})
async def list_event_types(_: WebhookReader, conditions: RequestConditions) -> Response:
    """List what webhooks may subscribe to, the scope that a token needs to, and what is posted as `data`.

    Fields may come to be added. Who else takes part in a task and what administrators wrote are in no body, though the
    events have them inside.
    """
    text = event_types()
    tag = content_etag(text)
    answer = not_modified(tag) if conditions.unchanged(tag) else json_text(text, headers={"ETag": tag})
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


@router.get("/{webhook_id}", response_model=WebhookRead, responses={304: {"description": "You have this version"}})
async def get_webhook(
    webhook_id: UUID, user: WebhookReader, reads: ReadsDep, conditions: RequestConditions
) -> Response:
    """Read a webhook."""
    text, version = await WebhookQueries(reads, user.user_id).get(webhook_id)
    tag = etag(webhook_id, version)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(text, headers={"ETag": tag})


@router.put("/{webhook_id}", response_model=WebhookRead, dependencies=[Depends(_other_url)])
async def replace_webhook(
    webhook_id: UUID,
    data: WebhookReplace,
    request: Request,
    user: WebhookWriter,
    webhooks: Webhooks,
    conditions: RequestConditions,
) -> Response:
    """Replace all writable fields of a webhook. Disabling it ends what waits for it.

    The token needs the scopes of all event types that `event_types` is for.
    """
    await demand_scopes(request, user, scopes_of(data.event_types))
    return _answer(await webhooks.change(webhook_id, data, conditions))


@router.patch("/{webhook_id}", response_model=WebhookRead, dependencies=[Depends(_perhaps_other_url)])
async def update_webhook(
    webhook_id: UUID,
    data: WebhookPatch,
    request: Request,
    user: WebhookWriter,
    webhooks: Webhooks,
    conditions: RequestConditions,
) -> Response:
    """Change the fields that are sent. Disabling a webhook ends what waits for it; `active` enables it again.

    With `url` or `event_types` the token needs the scopes of all event types that the webhook is for then.
    """
    webhook = await webhooks.change(webhook_id, data, conditions)
    if data.model_fields_set & {"url", "event_types"}:
        await demand_scopes(request, user, scopes_of(webhook.event_types))  # by the row that is held: refused, it stays
    return _answer(webhook)


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: UUID, webhooks: Webhooks, conditions: RequestConditions) -> None:
    """Delete a webhook and its deliveries."""
    await webhooks.delete(webhook_id, conditions)


@router.post("/{webhook_id}/rotate-secret", response_model=WebhookWithSecret, dependencies=[WebhookOnce])
async def rotate_secret(
    webhook_id: UUID,
    webhooks: Webhooks,
    conditions: RequestConditions,
    data: Annotated[Rotation, Body(default_factory=Rotation)],
) -> Response:
    """Give a webhook another secret, shown in this answer only.

    Until `overlap_hours` have passed each delivery carries a signature by either, so that no receiver misses one.
    """
    webhook, secret = await webhooks.rotate(webhook_id, timedelta(hours=data.overlap_hours), conditions)
    return _with_secret(webhook, secret)


def _answer(webhook: Webhook) -> Response:
    return json_answer(_WEBHOOK, read(webhook), headers={"ETag": etag(webhook.id, webhook.version)})


def _with_secret(webhook: Webhook, secret: str | None, status: int = 200) -> Response:
    shown = read_with_secret(webhook, secret)
    return json_answer(_WITH_SECRET, shown, status=status, headers={"ETag": etag(webhook.id, webhook.version)})
