"""Passwords and blocks, through the whole suite: what ends here ends everywhere."""

import asyncio
import re
import time
from functools import partial
from pathlib import Path

import pytest

from grove_stack.demo import newest_mail

NEW = "water them every evening"
PATHS = ("/tasks", "/notifications", "/connections")


def asks(person):
    """A request to each service."""
    return [partial(person.call, "GET", path) for path in PATHS]


async def login(suite, person, password: str):
    body = {"email": person.email, "password": password}
    return await person.client.post(f"{suite.auth}/login", json=body)


async def test_a_forgotten_password_is_set_by_mail_and_ends_all_sessions_everywhere(
    suite, ada, wait_until, until_refused
):
    for path in PATHS:
        assert (await ada.call("GET", path)).status_code == 200
    asked = await ada.client.post(f"{suite.auth}/request-password-reset", json={"email": ada.email})
    assert asked.status_code == 202
    found: list[str] = []

    async def mailed() -> bool:
        text = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), ada.email)
        found.extend(re.findall(r"/reset-password#token=([\w-]+)", text))
        return bool(found)

    await wait_until(mailed, 20)
    reset = await ada.client.post(f"{suite.auth}/reset-password", json={"token": found[0], "new_password": NEW})
    since = time.perf_counter()
    assert reset.status_code == 204
    assert await until_refused(since, *asks(ada)) < 1
    answer = await login(suite, ada, NEW)
    assert answer.status_code == 200
    ada.tokens = answer.json()

    async def told() -> bool:
        listed = await ada.call("GET", "/notifications?type=PASSWORD_CHANGED")
        return listed.json()["total"] == 1

    await wait_until(told, 20)
    page = await ada.client.get(f"{suite.file['portal_url']}/reset-password")
    assert page.status_code == 200


@pytest.fixture
async def admin(suite, client):
    answer = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_who_is_blocked_is_out_everywhere_within_a_second(suite, ada, admin, until_refused):
    found = (await ada.client.get(f"{suite.auth}/admin/users?q={ada.email}", headers=admin)).json()["items"]
    assert len(found) == 1
    url = f"{suite.auth}/admin/users/{found[0]['id']}"
    blocked = await ada.client.post(f"{url}/block", json={"reason": "spam"}, headers=admin)
    since = time.perf_counter()
    assert blocked.status_code == 200
    assert await until_refused(since, *asks(ada)) < 1
    refused = await login(suite, ada, "plant trees not walls")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ACCOUNT_BLOCKED")
    assert (await ada.client.post(f"{url}/unblock", headers=admin)).status_code == 200
    await ada.login()
    assert (await ada.call("GET", "/tasks")).status_code == 200
