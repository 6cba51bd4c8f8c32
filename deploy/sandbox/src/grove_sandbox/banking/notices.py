"""The bank's webhooks, signed by Standard Webhooks, and sent as well as it can: a few times, then forgotten."""

import asyncio
import base64
import hmac
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

import httpx2
import structlog
from pydantic import BaseModel

from grove_sandbox.settings import SandboxSettings

log = structlog.get_logger()

TRIES = 3
MOST_WAITING = 200

Kind = Literal["transactions.changed", "consent.withdrawn", "consent.ends_soon", "access.refused", "access.repaired"]


class Signed(BaseModel):
    """A webhook as it is sent."""

    headers: dict[str, str]
    body: str


class Notices:
    """Signs and sends."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()

    def signed(
        self, kind: Kind, customer: str, *, consent_ends_at: datetime | None = None, seconds_ago: float = 0
    ) -> Signed:
        """A webhook of `seconds_ago`."""
        moment, message_id = datetime.now(UTC) - timedelta(seconds=seconds_ago), f"msg_{uuid4().hex}"
        content = {"type": kind, "customer_id": customer, "at": moment.isoformat()}
        if consent_ends_at is not None:
            content["consent_ends_at"] = consent_ends_at.isoformat()
        body, timestamp = json.dumps(content), str(int(moment.timestamp()))
        key = base64.b64decode(self._settings.webhook_secret.get_secret_value().removeprefix("whsec_"))
        signature = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), "sha256")
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(signature).decode(),
        }
        return Signed(headers=headers, body=body)

    def send(self, notice: Signed) -> None:
        """Send in the background, if there is somewhere to send to and not too much waits already."""
        if self._settings.webhook_url and len(self._sending) < MOST_WAITING:
            sending = asyncio.create_task(self._deliver(notice))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def aclose(self) -> None:
        """Forget what waits."""
        for sending in (waiting := list(self._sending)):
            sending.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _deliver(self, notice: Signed) -> None:
        ca_file = self._settings.webhook_ca_file
        trusted = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
        async with httpx2.AsyncClient(verify=trusted, timeout=5, trust_env=False) as client:
            for attempt in range(TRIES):
                await asyncio.sleep(attempt)
                try:
                    answer = await client.send(self._request(client, notice))
                except httpx2.HTTPError as error:
                    told = str(error) or type(error).__name__
                else:
                    if answer.is_success:
                        return
                    told = f"answered {answer.status_code}"
                log.warning("webhook.not_taken", attempt=attempt + 1, reason=told)

    def _request(self, client: httpx2.AsyncClient, notice: Signed) -> httpx2.Request:
        """To a name under `.localhost` on this machine itself, since the DNS knows none of them."""
        url, headers = httpx2.URL(self._settings.webhook_url), notice.headers
        if not url.host.endswith(".localhost"):
            return client.build_request("POST", url, content=notice.body, headers=headers)
        return client.build_request(
            "POST",
            url.copy_with(host="127.0.0.1"),
            content=notice.body,
            headers=headers | {"host": url.netloc.decode()},
            extensions={"sni_hostname": url.host},
        )
