"""The sandbox's adapter alone, against the sandbox over HTTP."""

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest

from grove.core.ids import new_id
from grove_provider_sync.adapters.sandbox.adapter import SandboxProvider
from grove_provider_sync.providers.interface import Asking, Grant, Return

VERIFIER = "v" * 43
BACK = "https://client.test/back"


class Link:
    """A customer who consents."""

    def __init__(self, provider: SandboxProvider, world: httpx2.AsyncClient) -> None:
        self.provider, self.world = provider, world
        self.customer = f"customer-{new_id().hex[-8:]}"
        self.control = f"/control/customers/{self.customer}"

    async def code(self) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        asking = Asking(state="st", challenge=challenge, redirect_uri=BACK, user="somebody")
        url = urlparse((await self.provider.authorize(asking)).url)
        form = {name: values[0] for name, values in parse_qs(url.query).items()}
        answer = await self.world.post(url.path, data=form | {"customer": self.customer})
        return parse_qs(urlparse(answer.headers["location"]).query)["code"][0]

    def back(self, code: str | None, verifier: str = VERIFIER) -> Return:
        return Return(code=code, verifier=verifier, redirect_uri=BACK)

    async def grant(self) -> Grant:
        return await self.provider.exchange(self.back(await self.code()))

    async def behave(self, **conduct) -> None:
        answer = await self.world.put("/control/bank", json={"page_size": 25} | conduct)
        assert answer.status_code == 204, answer.text

    async def fault(self, path: str, **fault) -> None:
        assert (await self.world.post("/control/faults", json={"path": path} | fault)).status_code == 204


@pytest.fixture
async def link(resources, world) -> AsyncIterator[Link]:
    await world.delete("/control/bank")
    yield Link(resources.providers.get("sandbox"), world)
    await world.delete("/control/bank")


@pytest.fixture
def rotated(stores):
    """`rotated(secret)`: the bank signs with another secret from now on, and the file of ours is replaced."""
    file = stores.layout.secrets_dir("provider-sync") / "sandbox_webhook_secret"
    kept, moment = file.read_bytes(), file.stat().st_mtime_ns

    def write(text: bytes, at: int) -> None:
        file.write_bytes(text)
        os.utime(file, ns=(at, at))

    yield lambda secret: write(secret.encode(), moment + 1)
    write(kept, moment + 2)
