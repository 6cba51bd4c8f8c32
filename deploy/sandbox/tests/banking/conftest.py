"""The bank over real HTTP, since a connection that ends in the middle is part of what it plays."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr

from grove.service.server import _Server
from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings
from grove_stack.ports import free_port

VERIFIER = "v" * 43
BACK = "https://client.test/back"


class Bank:
    """A client of the bank that is somebody's."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.basic = httpx2.BasicAuth("grove", "s")

    async def behave(self, **conduct) -> None:
        answer = await self.http.put("/control/bank", json=conduct)
        assert answer.status_code == 204, answer.text

    async def told(self) -> dict:
        return (await self.http.get("/control/bank")).json()

    async def consent(self, customer: str) -> dict:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        asked = {"client_id": "grove", "redirect_uri": BACK, "state": "st", "response_type": "code", "scope": "all"}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "customer": customer}
        answer = await self.http.post("/oauth/authorize", data=asked)
        code = parse_qs(urlparse(answer.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return (await self.http.post("/oauth/token", data=form, auth=self.basic)).json()

    async def refresh(self, tokens: dict) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return await self.http.post("/oauth/token", data=form, auth=self.basic)

    async def get(self, path: str, tokens: dict, **query) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return await self.http.get(f"/api/{path}", params=query, headers=headers)

    async def walk(self, tokens: dict, cursor: str = "") -> tuple[list[dict], str]:
        pages = []
        while True:
            pages.append((await self.get("transactions", tokens, cursor=cursor)).json())
            cursor = pages[-1]["next_cursor"]
            if not pages[-1]["has_more"]:
                return pages, cursor


@pytest.fixture(scope="package")
async def address() -> AsyncIterator[str]:
    port = free_port()
    app = create_app(SandboxSettings(client_secret=SecretStr("s"), page_size=50))
    server = _Server(uvicorn.Config(app, port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def bank(address) -> AsyncIterator[Bank]:
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        await http.delete("/control/bank")
        yield Bank(http)
        await http.delete("/control/bank")
