"""The receiver of webhooks answers as it is told to, and keeps what arrived."""

import asyncio

import httpx2
import pytest

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

GUARD = 20
HOOK, CONTROL = "/webhooks/receive/ada", "/control/webhooks/ada"


@pytest.fixture
async def world():
    app = create_app(SandboxSettings())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


async def behave(world, **behaviour) -> None:
    assert (await world.put(CONTROL, json=behaviour)).status_code == 204


async def test_what_arrives_is_kept_byte_for_byte(world):
    body = '{"a": "ü",\n "b":1}'
    answer = await world.post(HOOK, content=body, headers={"webhook-id": "1"})
    assert (answer.status_code, answer.text) == (200, "ok")
    [got] = (await world.get(CONTROL)).json()
    assert (got["body"], got["headers"]["webhook-id"]) == (body, "1")
    assert (await world.get("/control/webhooks/bob")).json() == []
    await world.delete(CONTROL)
    assert (await world.get(CONTROL)).json() == []


async def test_it_answers_as_it_is_told_to(world):
    await behave(world, status=429, retry_after="60", times=2)
    for _ in range(2):
        answer = await world.post(HOOK, content="{}")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert (await world.post(HOOK, content="{}")).status_code == 200
    await behave(world, status=302, location="http://127.0.0.1/")
    for _ in range(2):
        answer = await world.post(HOOK, content="{}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1/")


async def test_what_hangs_is_answered_when_it_is_told_to(world):
    await behave(world, mode="hang", body="late")
    hanging = asyncio.create_task(world.post(HOOK, content="{}"))
    async with asyncio.timeout(GUARD):
        while not (await world.get(CONTROL)).json():
            await asyncio.sleep(0.01)
        assert not hanging.done()
        await behave(world)
        assert (await hanging).text == "late"
    assert (await world.post(HOOK, content="{}")).text == "ok"


async def test_a_slow_body_comes_after_the_status(world):
    await behave(world, mode="slow_body", body="ab")
    answer = await world.post(HOOK, content="{}")
    assert (answer.status_code, answer.text) == (200, "ab")
