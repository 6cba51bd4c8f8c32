"""Connecting a provider: nobody can be made to link their bank to another's account."""

import asyncio

import pytest

from grove.core.ids import new_id
from grove.postgres.reads import Statement
from grove.security.encryption import DecryptionFailed
from grove.testing.postgres import check_models, migrate_both_ways, outbox_types
from grove.web.rate_limit import Limit
from grove_provider_sync.connections import endpoints
from grove_provider_sync.models import Connection
from grove_provider_sync.tokens import sealing

pytestmark = pytest.mark.integration


async def test_providers_are_listed(user):
    answer = await user.call("GET", "/providers")
    assert answer.json() == {
        "items": [
            {
                "key": "sandbox",
                "name": "Sandbox Bank",
                "kind": "bank",
                "scopes": ["accounts", "transactions"],
                "health": "ok",
                "webhooks": True,
                "consent_days": None,
            }
        ]
    }


async def test_a_connection_becomes_active(user, resources):
    started = await user.begin()
    assert started["status"] == "pending"
    assert "code_challenge_method=S256" in started["authorization_url"]
    answer = await user.callback(await user.consent(started["authorization_url"]))
    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "active", started["id"])
    assert (await user.call("GET", f"/connections/{started['id']}")).json()["status"] == "active"
    assert [item["id"] for item in (await user.call("GET", "/connections")).json()["items"]] == [started["id"]]
    assert await outbox_types(resources.engine) == ["provider_sync.connection.linked.v1"]


async def test_tokens_are_not_stored_in_clear_and_open_for_their_connection_and_version_only(user, resources):
    made = await user.connect()
    everything = str(await resources.reads.all(Statement("SELECT * FROM outbox, connections, token_audit")))
    async with resources.sessions() as session:
        connection = await session.get(Connection, made["id"])
    opened = sealing.stored(resources.token_cipher, connection)
    assert opened.refresh_token
    for secret in (opened.access_token, opened.refresh_token):
        assert secret not in everything
    for change in ({"id": new_id()}, {"token_version": 0}, {"token_version": 2}, {"sealed_tokens": None}):
        other = Connection(
            **{"id": connection.id, "token_version": 1, "sealed_tokens": connection.sealed_tokens} | change
        )
        with pytest.raises(DecryptionFailed):
            sealing.stored(resources.token_cipher, other)


async def test_a_state_works_once_and_not_for_others(user, stranger):
    started = await user.begin()
    back = await user.consent(started["authorization_url"])
    user.client.cookies.clear()
    refused = await stranger.callback(back)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (await user.callback(back)).status_code == 200
    assert (await user.callback(back)).status_code == 410
    assert (await user.callback({"state": "unknown", "code": "x"})).status_code == 410


async def test_the_browser_that_began_may_finish_without_a_bearer(user):
    answer = await user.call("POST", "/connections", json={"provider": "sandbox"})
    cookie = answer.headers["set-cookie"]
    for part in ("__Host-", "HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert part in cookie
    name, key = cookie.split(";", 1)[0].split("=", 1)
    back = await user.consent(answer.json()["authorization_url"])
    user.client.cookies.clear()
    wrong = await user.client.get("/api/v1/connections/callback", params=back, headers={"Cookie": f"{name}=x"})
    assert wrong.status_code == 403
    right = await user.client.get(
        "/api/v1/connections/callback",
        params=back,
        headers={"Cookie": f"{name}={key}", "Accept": "text/html"},
    )
    assert (right.status_code, right.headers["location"]) == (303, "https://localhost:8443/connected") or right.headers[
        "location"
    ].endswith("/connected")


async def test_tries_in_two_tabs_leave_each_other_alone(user):
    tabs = [await user.begin() for _ in range(2)]
    for number, tab in enumerate(tabs):
        user.customer = f"{user.customer}-{number}"
        back = await user.consent(tab["authorization_url"])
        answer = await user.client.get("/api/v1/connections/callback", params=back)
        assert answer.status_code == 200, answer.text


async def test_a_browser_that_comes_back_with_nothing_gets_a_page(user):
    started = await user.begin()
    back = await user.consent(started["authorization_url"], "deny")
    answer = await user.callback(back, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"].endswith("/not-connected")) == (303, True)
    assert (await user.call("GET", f"/connections/{started['id']}")).json()["status"] == "pending"


async def test_a_denied_consent_is_told_and_can_be_tried_again(user):
    started = await user.begin()
    denied = await user.callback(await user.consent(started["authorization_url"], "deny"))
    assert (denied.status_code, denied.json()["error"]["code"]) == (409, "CONFLICT")
    again = await user.call("POST", f"/connections/{started['id']}/reauthorize")
    assert again.status_code == 200
    assert (await user.callback(await user.consent(again.json()["authorization_url"]))).json()["id"] == started["id"]
    assert (await user.callback(await user.consent(started["authorization_url"]))).status_code == 410


@pytest.mark.parametrize(
    ("fault", "status"),
    [({"status": 503}, 502), ({"delay_seconds": 3}, 504), ({"status": 400}, 502)],
)
async def test_a_provider_that_fails_in_the_callback(user, world, fault, status):
    started = await user.begin()
    back = await user.consent(started["authorization_url"])
    await world.post("/control/faults", json={"path": "/oauth/token"} | fault)
    assert (await user.callback(back)).status_code == status
    assert (await user.call("GET", f"/connections/{started['id']}")).json()["status"] == "pending"
    assert (await user.callback(back)).status_code == 200


async def test_another_users_connection_does_not_exist(user, stranger):
    connection = await user.connect()
    one = f"/connections/{connection['id']}"
    for method, path in (
        ("GET", one),
        ("DELETE", one),
        ("POST", f"{one}/sync"),
        ("POST", f"{one}/reauthorize"),
        ("GET", f"{one}/sync-runs"),
    ):
        assert (await stranger.call(method, path)).status_code == 404
    assert (await stranger.call("GET", "/connections")).json() == {"items": []}


async def test_bad_input(user):
    assert (await user.call("POST", "/connections", json={"provider": "nobank"})).status_code == 404
    assert (await user.call("POST", "/connections", json={"provider": "A B"})).status_code == 422
    assert (await user.call("POST", f"/connections/{(await user.begin())['id']}/sync")).status_code == 400


async def test_a_connection_that_is_known_is_not_told_again(user, runner):
    connection = await user.connect()
    one = f"/connections/{connection['id']}"
    first = await user.call("GET", one)
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await user.call("GET", one, headers=tag)).status_code == 304
    await runner.run(connection["id"])
    changed = await user.call("GET", one, headers=tag)
    assert (changed.status_code, changed.json()["status_detail"]) == (200, "Up to date.")


async def test_a_user_asks_for_so_many_runs(user, resources, monkeypatch):
    """They spend the provider's budget, which is everybody's."""
    connection = await user.connect()
    monkeypatch.setattr(endpoints, "SYNC_LIMIT", Limit("sync", 2, 3600))
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    path = f"/connections/{connection['id']}/sync"
    answers = [await user.call("POST", path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["retry-after"]


async def test_creating_is_idempotent(user):
    key = {"Idempotency-Key": "once"}
    first = await user.call("POST", "/connections", json={"provider": "sandbox"}, headers=key)
    second = await user.call("POST", "/connections", json={"provider": "sandbox"}, headers=key)
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"


async def test_removing_tells_the_provider_and_takes_the_data(user, runner, resources, world):
    connection = await user.connect()
    await runner.run(connection["id"])
    assert len(await user.transactions()) == 120
    assert (await user.call("DELETE", f"/connections/{connection['id']}")).status_code == 204
    assert (await user.call("GET", "/accounts")).json() == {"items": []}
    assert await user.transactions() == {}
    assert (await outbox_types(resources.engine))[-1] == "provider_sync.connection.removed.v1"


async def test_migrations_run_up_down_and_up_and_match_the_models(settings, resources):
    await asyncio.to_thread(migrate_both_ways, settings)
    await asyncio.to_thread(check_models, settings)
