"""Roles, accounts that administrators make, and the operators' pages, through the whole suite."""

import asyncio
import re
import time
from pathlib import Path

import bcrypt
import pytest

from grove.core.ids import new_id
from grove_stack.demo import newest_mail

COOKIE = "__Host-grove_operator"
PASSWORD = "water them every evening"


@pytest.fixture
async def admin(suite, client):
    answer = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def portal(suite) -> str:
    return suite.file["portal_url"]


def cookie(headers: dict[str, str]) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={headers['Authorization'].removeprefix('Bearer ')}"}


async def test_the_operators_pages_open_for_operators_only_and_close_at_once(
    suite, client, portal, ada, admin, until_refused
):
    page = f"{portal}/operator"
    nobody = await client.get(page)
    assert (nobody.status_code, nobody.headers["location"]) == (303, "/operator/sign-in")
    assert (await client.get(f"{portal}/operator/sign-in")).status_code == 200
    refused = await client.get(page, headers=cookie(ada.headers))
    assert (refused.status_code, "ops:view" in refused.text) == (403, True)
    spoofed = {"X-Forwarded-User": "admin", "X-Auth-Scope": "ops:view", "X-Forwarded-Uri": "/operator/sign-in"}
    assert (await client.get(page, headers=spoofed | admin)).status_code == 303
    assert (await client.get(page, headers=spoofed | cookie(ada.headers))).status_code == 403
    begun = await client.post(f"{portal}/operator/session", headers=admin | {"Origin": portal})
    assert begun.status_code == 204, begun.text
    assert begun.headers["set-cookie"].startswith(COOKIE)
    client.cookies.clear()
    shown = await client.get(page, headers=cookie(admin))
    assert shown.status_code == 200
    assert all(name in shown.text for name in ("auth", "resource", "notification", "provider-sync"))
    ended = await client.delete(f"{portal}/operator/session", headers=cookie(admin) | {"Origin": portal})
    since = time.perf_counter()
    assert ended.status_code == 204
    assert (await client.get(page, headers=cookie(admin))).status_code == 303
    assert await until_refused(since, lambda: client.get(f"{suite.api}/tasks", headers=admin)) < 1


async def test_a_role_that_is_given_opens_and_one_that_is_taken_closes_within_a_second(
    suite, client, portal, ada, admin, until_refused
):
    name = f"watcher-{new_id().hex[-8:]}"
    role = {"name": name, "description": "Watches.", "permissions": ["ops:view"]}
    assert (await client.post(f"{suite.auth}/admin/roles", json=role, headers=admin)).status_code == 201
    found = (await client.get(f"{suite.auth}/admin/users?q={ada.email}", headers=admin)).json()["items"]
    user = f"{suite.auth}/admin/users/{found[0]['id']}"
    given = await client.patch(user, json={"roles": ["user", name]}, headers=admin)
    assert given.status_code == 200, given.text

    async def refresh() -> None:
        answer = await client.post(f"{suite.auth}/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
        assert answer.status_code == 200
        ada.tokens = answer.json()

    await refresh()
    page = f"{portal}/operator"
    assert (await client.get(page, headers=cookie(ada.headers))).status_code == 200
    assert (await client.patch(user, json={"roles": ["user"]}, headers=admin)).status_code == 200
    since = time.perf_counter()
    assert (await client.get(page, headers=cookie(ada.headers))).status_code == 303
    assert await until_refused(since, lambda: ada.call("GET", "/tasks")) < 1
    await refresh()
    assert (await ada.call("GET", "/tasks")).status_code == 200
    assert (await client.get(page, headers=cookie(ada.headers))).status_code == 403
    assert (await client.delete(f"{suite.auth}/admin/roles/{name}", headers=admin)).status_code == 204


async def test_who_is_invited_or_imported_can_sign_in(suite, client, admin, wait_until):
    invited, imported = (f"{new_id().hex[-12:]}@grove.example" for _ in range(2))
    made = await client.post(f"{suite.auth}/admin/users", json={"email": invited, "name": "Grace"}, headers=admin)
    assert made.status_code == 201, made.text
    found: list[str] = []

    async def mailed() -> bool:
        text = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), invited)
        found.extend(re.findall(r"/reset-password#token=([\w-]+)", text))
        return bool(found)

    await wait_until(mailed, 20)
    reset = await client.post(f"{suite.auth}/reset-password", json={"token": found[0], "new_password": PASSWORD})
    assert reset.status_code == 204, reset.text
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = [{"email": imported, "name": "Lin", "password_hash": stored}]
    answer = await client.post(f"{suite.auth}/admin/users/import", json={"users": users}, headers=admin)
    assert answer.json()["created"] == 1, answer.text
    for email in (invited, imported):
        signed_in = await client.post(f"{suite.auth}/login", json={"email": email, "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        assert (await client.get(f"{suite.api}/tasks", headers=headers)).status_code == 200
