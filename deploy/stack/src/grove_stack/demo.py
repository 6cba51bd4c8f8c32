"""`grove stack demo`: the main job, told step by step as it happens."""

import asyncio
import json
import mailbox
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import httpx2
import websockets
from rich.console import Console

from grove.core.ids import new_id
from grove_stack.layout import Layout, read_json
from grove_stack.loopback import LoopbackTransport

PASSWORD = "plant trees not walls"  # noqa: S105 - of an account that the demo makes for itself
PATIENCE_SECONDS = 30


class DemoFailed(Exception):
    """A step did not do what it should."""


class Demo:
    """One walk through the suite, as a client developer would take it."""

    def __init__(self, layout: Layout, console: Console) -> None:
        self._suite = read_json(layout.suite_file)
        self._console = console
        self._context = ssl.create_default_context(cafile=self._suite["ca_file"])
        self._email = f"demo-{new_id().hex[-8:]}@grove.example"
        self._started = time.perf_counter()

    async def run(self) -> None:
        """Every step, or DemoFailed."""
        transport = LoopbackTransport(verify=self._context)
        async with httpx2.AsyncClient(transport=transport, timeout=15) as client:
            self._client = client
            await self._register()
            headers = await self._login()
            async with self._live(headers) as frames:
                await self._task(headers, frames)
                connection = await self._connect(headers)
                await self._frame(frames, "PROVIDER_CONNECTED")
                await self._frame(frames, "PROVIDER_SYNCED")
            await self._synchronised(headers, connection)
            await self._notifications(headers)

    async def _register(self) -> None:
        auth = f"{self._suite['auth_url']}/api/v1/auth"
        body = {"email": self._email, "password": PASSWORD, "name": "Demo"}
        await self._call("Register", "POST", f"{auth}/register", 202, json=body)
        token = await self._mailed_token()
        self._say("Verification mail arrived", f"in {self._suite['mail_dir']}")
        await self._call("Open its link", "POST", f"{auth}/verify-email", 204, json={"token": token})

    async def _login(self) -> dict[str, str]:
        auth = f"{self._suite['auth_url']}/api/v1/auth"
        credentials = {"email": self._email, "password": PASSWORD}
        answer = await self._call("Sign in", "POST", f"{auth}/login", 200, json=credentials)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def _task(self, headers: dict[str, str], frames: "asyncio.Queue[dict[str, Any]]") -> None:
        tasks = f"{self._suite['api_url']}/api/v1/tasks"
        answer = await self._call("Create a task", "POST", tasks, 201, headers=headers, json={"title": "Plant a tree"})
        created = time.perf_counter()
        frame = await self._frame(frames, "TASK_CREATED")
        if frame["data"]["task_id"] != answer.json()["id"]:
            raise DemoFailed("The notification is about another task.")
        self._say("", f"event → RabbitMQ → notification → WebSocket in {(time.perf_counter() - created) * 1000:.0f} ms")

    async def _connect(self, headers: dict[str, str]) -> str:
        connections = f"{self._suite['api_url']}/api/v1/connections"
        body = {"provider": "sandbox"}
        answer = await self._call("Connect the sandbox bank", "POST", connections, 201, headers=headers, json=body)
        started = answer.json()
        url = urlparse(started["authorization_url"])
        form = dict(pair.split("=", 1) for pair in url.query.split("&"))
        decoded = {name: httpx2.QueryParams(f"{name}={value}")[name] for name, value in form.items()}
        consent = await self._call(
            "Give consent there",
            "POST",
            f"{url.scheme}://{url.netloc}{url.path}",
            303,
            data=decoded | {"decision": "allow", "customer": self._email},
        )
        await self._call("Come back with the code", "GET", consent.headers["location"], 200)
        return str(started["id"])

    async def _synchronised(self, headers: dict[str, str], connection: str) -> None:
        api = f"{self._suite['api_url']}/api/v1"
        accounts = await self._call("Read the accounts", "GET", f"{api}/accounts", 200, headers=headers)
        for account in accounts.json()["items"]:
            self._say("", f"{account['name']}: {account['balance']} {account['currency']}")
        found = await self._call("Read the transactions", "GET", f"{api}/transactions", 200, headers=headers)
        self._say("", f"{found.json()['total']} transactions")
        runs = await self._call(
            "Look at the run", "GET", f"{api}/connections/{connection}/sync-runs", 200, headers=headers
        )
        run = runs.json()["items"][0]
        self._say("", f"{run['trigger']} run {run['status']}: {run['added']} added")
        if run["status"] != "completed" or run["added"] != found.json()["total"]:
            raise DemoFailed(f"The run did not fetch everything: {run}")

    async def _notifications(self, headers: dict[str, str]) -> None:
        url = f"{self._suite['api_url']}/api/v1/notifications"
        answer = await self._call("Read the notifications", "GET", url, 200, headers=headers)
        for item in reversed(answer.json()["items"]):
            self._say("", f"{item['type']}: {item['message']}")
        self._say("", f"{answer.headers['x-unread-count']} unread")

    @asynccontextmanager
    async def _live(self, headers: dict[str, str]) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
        url = self._suite["api_url"].replace("https:", "wss:") + "/api/v1/notifications/stream"
        frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        async with websockets.connect(
            url, host="127.0.0.1", ssl=self._context, additional_headers=headers, proxy=None
        ) as socket:
            self._say("Open a WebSocket", url)

            async def read() -> None:
                async for text in socket:
                    await frames.put(json.loads(text))

            reader = asyncio.create_task(read())
            try:
                yield frames
            finally:
                reader.cancel()

    async def _frame(self, frames: "asyncio.Queue[dict[str, Any]]", kind: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    frame = await frames.get()
                    if frame["type"] == "notification" and frame["data"]["type"] == kind:
                        self._say(f"Pushed: {kind}", frame["data"]["message"])
                        return frame
        except TimeoutError:
            raise DemoFailed(f"No {kind} was pushed within {PATIENCE_SECONDS} s.") from None

    async def _mailed_token(self) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            text = await asyncio.to_thread(newest_mail, Path(self._suite["mail_dir"]), self._email)
            found = re.search(r"/verify-email#token=([\w-]+)", text)
            if found:
                return found.group(1)
            await asyncio.sleep(0.1)
        raise DemoFailed(f"No verification mail for {self._email} within {PATIENCE_SECONDS} s.")

    async def _call(self, step: str, method: str, url: str, expected: int, **kwargs: Any) -> httpx2.Response:
        answer = await self._client.request(method, url, **kwargs)
        if answer.status_code != expected:
            raise DemoFailed(
                f"{step}: {method} {url} answered {answer.status_code}, not {expected}: {answer.text[:500]}"
            )
        self._say(step, f"{method} {url.split('?', maxsplit=1)[0]} → {answer.status_code}")
        return answer

    def _say(self, step: str, detail: str) -> None:
        seconds = time.perf_counter() - self._started
        mark = "[green]✓[/green]" if step else " "
        self._console.print(f"{seconds:5.1f} s {mark} {step:28}[dim]{detail}[/dim]", highlight=False, soft_wrap=True)


def newest_mail(mail_dir: Path, address: str) -> str:
    """The text of the newest mail to the address, empty when there is none."""
    if not mail_dir.exists():
        return ""
    found = [message for message in mailbox.Maildir(mail_dir, create=False) if address in str(message["To"])]
    found.sort(key=lambda message: message.get_date())
    if not found:
        return ""
    part = next((p for p in found[-1].walk() if p.get_content_type() == "text/plain"), None)
    payload = part.get_payload(decode=True) if part else b""
    return payload.decode() if isinstance(payload, bytes) else ""
