"""API keys and the answers to a breach, through the whole suite: what ends here ends everywhere."""

import asyncio
import base64
import json
import time
from functools import partial

import pytest
import websockets

PATHS = ("/tasks", "/notifications", "/connections")
SCOPES = ["tasks:read", "notifications:read", "connections:read", "account:read"]


class Key:
    """A program that signs in with an API key."""

    def __init__(self, person, answer: dict) -> None:
        self.person, self.id, self.secret = person, answer["id"], answer["secret"]

    async def call(self, method: str, path: str, **kwargs):
        return await self.person.client.request(
            method, f"{self.person.suite.api}{path}", headers={"Authorization": f"Bearer {self.secret}"}, **kwargs
        )


async def key_of(suite, person, scopes: list[str]) -> Key:
    body = {"name": "backup", "scopes": scopes}
    answer = await person.client.post(f"{suite.auth}/api-keys", json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return Key(person, answer.json())


def asks(bearer):
    """A request to each service."""
    return [partial(bearer.call, "GET", path) for path in PATHS]


async def closing(socket) -> float:
    """When the socket was closed, by its sign-in's end."""
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            await socket.recv()
    assert closed.value.rcvd.code == 4401
    return time.perf_counter()


@pytest.fixture
async def admin(suite, client):
    answer = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_key_works_by_its_scopes_and_is_dead_everywhere_within_a_second(suite, ada, wait_until, until_refused):
    narrow = await key_of(suite, ada, ["tasks:read", "notifications:read"])
    assert [(await narrow.call("GET", path)).status_code for path in PATHS] == [200, 200, 403]
    assert (await narrow.call("POST", "/tasks", json={"title": "T"})).status_code == 403
    key = await key_of(suite, ada, SCOPES)
    assert [(await key.call("GET", path)).status_code for path in PATHS] == [200, 200, 200]
    bearer = {"Authorization": f"Bearer {key.secret}"}
    assert (await ada.client.get(f"{suite.auth}/me", headers=bearer)).status_code == 200
    assert (await ada.client.get(f"{suite.auth}/sessions", headers=bearer)).status_code == 403
    url = suite.api.replace("https:", "wss:") + "/notifications/stream"
    async with websockets.connect(
        url, host="127.0.0.1", ssl=suite.tls, additional_headers=bearer, proxy=None
    ) as socket:
        closed = asyncio.create_task(closing(socket))
        deleted = await ada.client.delete(f"{suite.auth}/api-keys/{key.id}", headers=ada.headers)
        since = time.perf_counter()
        assert deleted.status_code == 204
        assert await until_refused(since, *asks(key)) < 1
        async with asyncio.timeout(30):
            assert await closed - since < 1
    assert (await narrow.call("GET", "/tasks")).status_code == 200

    async def told() -> bool:
        return (await ada.call("GET", "/notifications?type=API_KEY_CREATED")).json()["total"] == 2

    await wait_until(told, 20)


def signing_key(token: str) -> str:
    header = token.split(".", maxsplit=1)[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


async def test_keys_rotate_while_requests_flow_and_none_is_lost(suite, ada, admin, until_refused):
    before, old = signing_key(ada.tokens["access_token"]), ada.headers
    rotated = await ada.client.post(f"{suite.auth}/admin/keys/rotate", json={}, headers=admin)
    assert rotated.status_code == 200, rotated.text
    statuses: set[int] = set()

    async def flow() -> None:
        """Refresh until the new key signs; each token, the first one too, works in every service at once."""
        async with asyncio.timeout(10):
            while signing_key(ada.tokens["access_token"]) == before:
                body = {"refresh_token": ada.tokens["refresh_token"]}
                ada.tokens = (await ada.client.post(f"{suite.auth}/refresh", json=body)).json()
                for headers in (ada.headers, old):
                    answers = await asyncio.gather(*(ada.call("GET", path, headers=headers) for path in PATHS))
                    statuses.update(answer.status_code for answer in answers)

    await flow()
    assert statuses == {200}
    revoked = await ada.client.post(f"{suite.auth}/admin/keys/rotate", json={"revoke": True}, headers=admin)
    since = time.perf_counter()
    assert revoked.status_code == 200
    assert await until_refused(since, *asks(ada)) < 1
    body = {"refresh_token": ada.tokens["refresh_token"]}
    ada.tokens = (await ada.client.post(f"{suite.auth}/refresh", json=body)).json()
    assert [(await ada.call("GET", path)).status_code for path in PATHS] == [200, 200, 200]


async def test_raising_the_version_ends_tokens_refresh_tokens_and_keys(suite, ada, admin, until_refused):
    key = await key_of(suite, ada, SCOPES)
    for bearer in (ada, key):
        assert [(await bearer.call("GET", path)).status_code for path in PATHS] == [200, 200, 200]
    raised = await ada.client.post(f"{suite.auth}/admin/token-version", headers=admin)
    since = time.perf_counter()
    assert raised.status_code == 200
    assert await until_refused(since, *asks(ada), *asks(key)) < 1
    refused = await ada.client.post(f"{suite.auth}/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_TOKEN")
    await ada.login()
    assert [(await ada.call("GET", path)).status_code for path in PATHS] == [200, 200, 200]
