"""Routes of deliveries."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, content_etag
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_notification.deps import ReadsDep, WebhookReader, WebhookTester
from grove_notification.models import WebhookDelivery
from grove_notification.webhooks.deliveries.listing import FILTERS, ORDERS, DeliveryFilter
from grove_notification.webhooks.deliveries.repository import DELIVERY_JSON, DeliveryQueries
from grove_notification.webhooks.deliveries.schemas import (
    DeliveryRead,
    DeliveryWithTries,
    Queued,
    Redelivery,
    delivery_read,
)
from grove_notification.webhooks.event_types import TEST, scope_of
from grove_notification.webhooks.repository import WebhookQueries
from grove_notification.webhooks.service import WebhookService
from grove_notification.webhooks.wiring import WebhookOnce, Webhooks, demand_scopes

router = APIRouter(
    prefix="/api/v1/webhooks/{webhook_id}",
    tags=["webhooks"],
    route_class=GroveRoute,
    responses=error_responses(400, 404),
)

_DELIVERY = TypeAdapter(DeliveryRead)
_DELIVERIES = List(item=DELIVERY_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[DeliveryFilter, query_as(DeliveryFilter)]


@router.post("/test", status_code=202, response_model=DeliveryRead, dependencies=[WebhookOnce])
async def send_test(webhook_id: UUID, _: WebhookTester, webhooks: Webhooks) -> Response:
    """Send a delivery of the type `grove.webhook.test.v1`, whatever the webhook subscribes to; 10 in an hour."""
    return await _answer(webhooks, await webhooks.test(webhook_id), status=202)


@router.post("/redeliver", status_code=202, dependencies=[WebhookOnce])
async def redeliver_many(webhook_id: UUID, data: Redelivery, webhooks: Webhooks) -> Queued:
    """Send ended deliveries of a time range once more, under the same ids, the oldest first.

    That are 5,000 at most, and fewer while much waits for the endpoint. `next_since` says that more are left: ask again
    with it as `since`; where nothing was queued, after a while.
    """
    return await webhooks.redeliver_all(webhook_id, data)


@router.get(
    "/deliveries",
    response_model=Page[DeliveryRead] | CursorPage[DeliveryRead],
    openapi_extra=parameters_of(DeliveryFilter),
)
async def list_deliveries(
    webhook_id: UUID, request: Request, user: WebhookReader, reads: ReadsDep, wanted: Wanted
) -> Response:
    """List a webhook's deliveries, newest first. Ended ones are kept for 30 days, or as the operator chose."""
    given = {"user_id": user.user_id, "webhook_id": webhook_id, "mine": True, **wanted.given(user.user_id)}
    check = WebhookQueries(reads, user.user_id).check
    return await _DELIVERIES.answer(request, reads, wanted, given, when_empty=lambda: check(webhook_id))


@router.get(
    "/deliveries/{delivery_id}",
    response_model=DeliveryWithTries,
    responses={304: {"description": "You have this version"}},
)
async def get_delivery(
    webhook_id: UUID,
    delivery_id: UUID,
    request: Request,
    user: WebhookReader,
    reads: ReadsDep,
    conditions: RequestConditions,
) -> Response:
    """Read a delivery, with the body that is posted, and what came of each of its newest 20 tries.

    The token needs the scope of its event type as well (GET `/webhooks/event-types`).
    """
    text, event_type = await DeliveryQueries(reads, user.user_id).get(webhook_id, delivery_id)
    if event_type != TEST:
        await demand_scopes(request, user, [scope_of(event_type)])
    tag = content_etag(text)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(text, headers={"ETag": tag})


@router.post(
    "/deliveries/{delivery_id}/redeliver", status_code=202, response_model=DeliveryRead, dependencies=[WebhookOnce]
)
async def redeliver(webhook_id: UUID, delivery_id: UUID, webhooks: Webhooks) -> Response:
    """Send a delivery now, under the same id: one that has ended with all its tries, one that waits for its next try
    without the pause. One that is under way is a 400.
    """
    return await _answer(webhooks, await webhooks.redeliver(webhook_id, delivery_id), status=202)


@router.post("/deliveries/{delivery_id}/skip", response_model=DeliveryRead, dependencies=[WebhookOnce])
async def skip(webhook_id: UUID, delivery_id: UUID, webhooks: Webhooks) -> Response:
    """End a delivery that waits for its next try as `failed`, so that an `ordered` webhook goes on behind it.

    One that is under way, or has ended, is a 400.
    """
    return await _answer(webhooks, await webhooks.skip(webhook_id, delivery_id), status=200)


async def _answer(webhooks: WebhookService, delivery: WebhookDelivery, *, status: int) -> Response:
    tag = await webhooks.tag(delivery)
    return json_answer(_DELIVERY, delivery_read(delivery), status=status, headers={"ETag": tag})
