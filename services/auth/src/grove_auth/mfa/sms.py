"""Sending SMS. A provider of your own is a class with `send`; `Resources` makes it."""

from typing import Protocol

import structlog

from grove.core.errors import GroveError, ServiceUnavailable
from grove.web.client import HttpClient, outside_client
from grove_auth.settings import AuthSettings

log = structlog.get_logger()

RETRY_AFTER = 30


class SmsSender(Protocol):
    """Hands messages over to who delivers them."""

    async def send(self, to: str, text: str) -> None:
        """Send `text` to a number in E.164. Raises ServiceUnavailable when it was not taken, after a few tries."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class HttpSms:
    """Posts `{to, text}` to a gateway that knows us by a bearer secret."""

    def __init__(self, settings: AuthSettings, client: HttpClient | None = None) -> None:
        self._settings = settings
        self._client = client or outside_client("the SMS gateway", "", total=5, connect=2, read=4)

    async def send(self, to: str, text: str) -> None:
        """Send, again after a fault of the gateway. Raises ServiceUnavailable."""
        headers = {"Authorization": f"Bearer {self._settings.secrets.read('sms_token')}"}
        try:
            # Tried again after a lost answer too: the same code twice is better than none.
            answer = await self._client.request(
                "POST", self._settings.sms_url, retry=True, headers=headers, json={"to": to, "text": text}
            )
        except GroveError as error:
            log.warning("sms.failed", error=error.message)
            raise _unavailable() from None
        if answer.status_code >= 300:
            log.error("sms.refused", status=answer.status_code)
            raise _unavailable()

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _unavailable() -> ServiceUnavailable:
    return ServiceUnavailable("The code could not be sent by SMS. Try again in a moment.", retry_after=RETRY_AFTER)
