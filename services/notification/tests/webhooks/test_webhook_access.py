"""Whose webhooks are whose, and what a token must be allowed to."""

import json
from datetime import timedelta

import pytest

from grove.core.clock import now, rfc3339
from grove.core.ids import new_id
from grove_notification.webhooks.event_types import EVENT_TYPES, scope_of

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"


async def test_nobody_elses_webhook_is_there(client, issuer, made, delivered, receiver):
    webhook = await made()
    [delivery] = await delivered(webhook, 1)
    eve = issuer.headers(new_id())
    own = (await client.post(URL, json={"url": receiver.url, "event_types": ["*"]}, headers=eve)).json()
    path, whole = f"{URL}/{webhook['id']}", {"url": receiver.url, "event_types": ["*"], "description": "",
                                             "ordered": False, "status": "active"}  # fmt: skip
    since = {"since": rfc3339(now() - timedelta(days=1))}
    calls = [
        ("GET", path, None),
        ("PUT", path, whole),
        ("PATCH", path, {"description": "x"}),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/rotate-secret", None),
        ("POST", f"{path}/redeliver", since),
        ("GET", f"{path}/deliveries", None),
        ("GET", f"{path}/deliveries?cursor=", None),
        ("GET", f"{path}/deliveries/{delivery['id']}", None),
        ("POST", f"{path}/deliveries/{delivery['id']}/redeliver", None),
        ("GET", f"{URL}/{own['id']}/deliveries/{delivery['id']}", None),
        ("POST", f"{URL}/{own['id']}/deliveries/{delivery['id']}/redeliver", None),
    ]
    for method, url, body in calls:
        answer = await client.request(method, url, json=body, headers=eve)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND"), (method, url)
    assert [each["id"] for each in (await client.get(URL, headers=eve)).json()["items"]] == [own["id"]]
    assert (await client.get(f"{URL}/{own['id']}/deliveries", headers=eve)).json()["total"] == 0


@pytest.mark.parametrize("scope", ["", "webhooks:read", "notifications:write"])
async def test_each_route_needs_its_scope(client, issuer, made, scope):
    webhook = await made()
    headers = issuer.headers(new_id(), scope=scope)
    path, any_id = f"{URL}/{webhook['id']}", new_id()
    whole = {"url": webhook["url"], "event_types": ["*"]}
    writing = [
        ("POST", URL, whole),
        ("PUT", path, whole | {"description": "", "ordered": False, "status": "active"}),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/rotate-secret", None),
        ("POST", f"{path}/redeliver", {"since": rfc3339(now())}),
        ("POST", f"{path}/deliveries/{any_id}/redeliver", None),
    ]
    reading = [
        ("GET", URL, None),
        ("GET", f"{URL}/event-types", None),
        ("GET", path, None),
        ("GET", f"{path}/deliveries", None),
        ("GET", f"{path}/deliveries/{any_id}", None),
    ]
    for method, url, body in writing:
        assert (await client.request(method, url, json=body, headers=headers)).status_code == 403, (method, url)
    for method, url, _ in reading:
        allowed = (await client.request(method, url, headers=headers)).status_code != 403
        assert allowed is (scope == "webhooks:read"), (method, url)
    assert (await client.get(URL)).status_code == 401


async def test_a_url_of_another_users_webhook_asks_no_name_server_without_a_token(client, resources, monkeypatch):
    asked = []

    async def check(url: str) -> None:
        asked.append(url)

    monkeypatch.setattr(resources.targets, "check", check)
    body = json.dumps({"url": "https://example.com/", "event_types": ["*"]})
    answer = await client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, asked) == (401, [])


WEBHOOKS = "webhooks:read webhooks:write"


def refusal(answer) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "FORBIDDEN")
    return error["message"]


def test_each_type_has_the_scope_of_the_routes_that_show_the_same():
    found: dict[str, set[str]] = {}
    for name in EVENT_TYPES:
        found.setdefault(scope_of(name), set()).add(name.rsplit(".", 2)[0])
    assert {scope: {name.split(".")[0] for name in names} for scope, names in found.items()} == {
        "account:read": {"auth"},
        "tasks:read": {"resource"},
        "profile:read": {"resource"},
        "moments:read": {"resource"},
        "connections:read": {"provider_sync"},
    }
    assert found["tasks:read"] == {"resource.task"}
    assert found["moments:read"] == {"resource.activity", "resource.moment"}
    with pytest.raises(LookupError):
        scope_of("resource.secret.told.v1")


@pytest.mark.parametrize(
    ("types", "scopes", "missing"),
    [
        (["*"], "", "scopes account:read, connections:read, moments:read, profile:read, tasks:read"),
        (["*"], "tasks:read", "scopes account:read, connections:read, moments:read, profile:read"),
        (["resource.task.*"], "", "scope tasks:read"),
        (["resource.*"], "tasks:read moments:read", "scope profile:read"),
        (["resource.task.created.v1", "auth.user.updated.v1"], "tasks:read", "scope account:read"),
        (["provider_sync.run.*"], "account:read", "scope connections:read"),
        (["resource.task.*"], "tasks:read", None),
        (["*"], "tasks:read account:read connections:read moments:read profile:read", None),
    ],
)
async def test_who_subscribes_may_read_the_same(client, issuer, ada, receiver, types, scopes, missing):
    key = issuer.headers(ada, scope=f"{WEBHOOKS} {scopes}")
    answer = await client.post(URL, json={"url": receiver.url, "event_types": types}, headers=key)
    if missing is None:
        assert answer.status_code == 201
    else:
        assert refusal(answer) == f"The token lacks the {missing}."
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert (await client.get(URL, headers=key)).json()["total"] == 0


async def test_who_changes_where_it_is_told_or_what_may_read_the_same(client, issuer, ada, me, made, receiver):
    webhook = await made()
    path = f"{URL}/{webhook['id']}"
    key = issuer.headers(ada, scope=f"{WEBHOOKS} tasks:read")
    before = (await client.get(path, headers=me)).json()
    whole = {"url": receiver.url, "event_types": ["*"], "description": "", "ordered": False, "status": "active"}
    for method, body in (
        ("PATCH", {"url": f"{receiver.url}&mine=1"}),
        ("PATCH", {"event_types": ["auth.*"]}),
        ("PATCH", {"event_types": ["resource.task.*", "resource.profile.*"], "description": "x"}),
        ("PUT", whole),
    ):
        assert "The token lacks the scope" in refusal(await client.request(method, path, json=body, headers=key))
    assert (await client.get(path, headers=me)).json() == before
    assert (await client.patch(path, json={"description": "Mine"}, headers=key)).status_code == 200
    narrow = {"url": f"{receiver.url}&mine=1", "event_types": ["resource.task.*"]}
    assert (await client.patch(path, json=narrow, headers=key)).status_code == 200
    assert (await client.patch(path, json={"url": receiver.url}, headers=key)).status_code == 200
    assert (await client.put(path, json=whole | narrow, headers=key)).status_code == 200


async def test_who_reads_a_body_may_read_the_same(client, issuer, ada, me, made, task, hooks):
    webhook = await made()
    path = f"{URL}/{webhook['id']}"
    await task("Secret plan")
    await client.post(f"{path}/test", headers=me)
    await hooks().send_due()
    items = (await client.get(f"{path}/deliveries", headers=me)).json()["items"]
    test, fact = (f"{path}/deliveries/{each['id']}" for each in items)
    key, reader = (issuer.headers(ada, scope=f"{WEBHOOKS} {scope}") for scope in ("moments:read", "tasks:read"))
    whole = await client.get(fact, headers=reader)
    assert "Secret plan" in whole.json()["body"]
    assert refusal(await client.get(fact, headers=key)) == "The token lacks the scope tasks:read."
    assert (await client.get(fact, headers=key | {"If-None-Match": whole.headers["etag"]})).status_code == 403
    assert (await client.get(test, headers=key)).status_code == 200
    listed = await client.get(f"{path}/deliveries", headers=key)
    assert listed.status_code == 200
    assert "Secret plan" not in listed.text


async def test_who_may_not_subscribe_asks_no_name_server(client, issuer, ada, resources, monkeypatch):
    asked = []

    async def check(url: str) -> None:
        asked.append(url)

    monkeypatch.setattr(resources.targets, "check", check)
    body = {"url": "https://example.com/", "event_types": ["*"]}
    refusal(await client.post(URL, json=body, headers=issuer.headers(ada, scope=WEBHOOKS)))
    assert asked == []
