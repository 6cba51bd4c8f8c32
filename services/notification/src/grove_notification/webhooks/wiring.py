"""What the routes of webhooks and of their deliveries share."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request

from grove.security.principal import Principal
from grove.service.idempotency_keys import PostgresIdempotency
from grove.web import idempotency
from grove.web.auth import Authenticator
from grove_notification.deps import ResourcesDep, WebhookWriter, WriteSession
from grove_notification.webhooks.deliveries.repository import DeliveryRepository
from grove_notification.webhooks.errors import UrlRefused
from grove_notification.webhooks.replaying import SealedAnswers
from grove_notification.webhooks.repository import WebhookRepository
from grove_notification.webhooks.service import WebhookService
from grove_notification.webhooks.targets import TargetRefused


async def _service(user: WebhookWriter, session: WriteSession, resources: ResourcesDep) -> WebhookService:
    return WebhookService(
        WebhookRepository(session, user.user_id),
        DeliveryRepository(session, user.user_id),
        resources.webhook_cipher,
        pending_max=resources.settings.webhook_pending_max,
    )


Webhooks = Annotated[WebhookService, Depends(_service)]


async def _once(
    request: Request,
    user: WebhookWriter,
    session: WriteSession,
    resources: ResourcesDep,
    key: idempotency.KeyHeader = None,
) -> None:
    answers = SealedAnswers(PostgresIdempotency(session), resources.webhook_cipher)
    await idempotency.begin(request, answers, user.user_id, key)


WebhookOnce = Depends(_once)
"""For routes that create or send something: takes `Idempotency-Key`."""


async def demand_scopes(request: Request, user: Principal, scopes: Iterable[str]) -> None:
    """Raises Forbidden for scopes that the caller's token lacks."""
    authenticator: Authenticator = request.app.state.authenticator
    await authenticator.demand(user, *scopes)


async def check_url(resources: ResourcesDep, url: str) -> None:
    """Raises UrlRefused. Before the transaction begins: it asks name servers, which may take their time."""
    try:
        await resources.targets.check(url)
    except TargetRefused as refused:
        raise UrlRefused(str(refused)) from None
