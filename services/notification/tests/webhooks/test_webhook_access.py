"""Whose webhooks are whose, and what a token must be allowed to."""

import json
from datetime import timedelta

import pytest

from grove.core.clock import now, rfc3339
from grove.core.ids import new_id

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
