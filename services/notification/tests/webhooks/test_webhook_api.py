"""Webhooks over HTTP."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from grove.core.clock import now, rfc3339
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_notification.models import Webhook
from grove_notification.webhooks.event_types import EVENT_TYPES
from grove_notification.webhooks.resolving import resolve
from grove_notification.webhooks.targets import Targets

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"
FIELDS = ["id", "url", "event_types", "description", "signature", "public_key", "ordered", "status",
          "disabled_reason", "failing_since", "resume_at", "created_at", "updated_at"]  # fmt: skip


async def test_create_read_and_list(client, me, receiver):
    body = {"url": receiver.url, "event_types": ["resource.task.*", "auth.*", "auth.*"], "description": "  Mine "}
    answer = await client.post(URL, json=body, headers=me)
    assert answer.status_code == 201
    webhook = answer.json()
    assert list(webhook) == [*FIELDS, "secret"]
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["event_types"], webhook["description"]) == (["resource.task.*", "auth.*"], "Mine")
    assert (webhook["status"], webhook["ordered"], webhook["public_key"]) == ("active", False, None)
    assert answer.headers["location"] == f"{URL}/{webhook['id']}"
    got = await client.get(answer.headers["location"], headers=me)
    secret = webhook.pop("secret")
    assert got.json() == webhook
    assert got.headers["etag"] == answer.headers["etag"]
    same = await client.get(f"{URL}/{webhook['id']}", headers=me | {"If-None-Match": got.headers["etag"]})
    assert same.status_code == 304
    listed = await client.get(URL, headers=me)
    assert (listed.json()["items"], listed.headers["x-total-count"]) == ([webhook], "1")
    walked = (await client.get(f"{URL}?cursor=", headers=me)).json()
    assert (walked["items"], walked["next_cursor"]) == ([webhook], None)
    assert secret not in got.text + listed.text


async def test_the_secret_is_stored_sealed(made, rows):
    webhook = await made()
    assert webhook["secret"] not in (await rows.webhook()).secrets


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://user@example.com/"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "https://example.com/" + "x" * 2000}, "url"),
        ({"url": "https://example.com/\u0001"}, "url"),
        ({"url": 5}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["resource.tree.created.v1"]}, "event_types"),
        ({"event_types": ["*"] * 51}, "event_types"),
        ({"event_types": "*"}, "event_types"),
        ({"description": "x" * 501}, "description"),
        ({"description": "a\u202eb"}, "description"),
        ({"signature": "v2"}, "signature"),
        ({"ordered": "perhaps"}, "ordered"),
        ({"status": "active"}, "status"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_what_is_wrong_is_named(client, me, receiver, change, field):
    answer = await client.post(URL, json={"url": receiver.url, "event_types": ["*"]} | change, headers=me)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"].startswith("body." + field)


async def test_only_the_exact_place_of_the_list_is_taken(client, me, receiver, create):
    await create(receiver.url)
    port = receiver.port
    for url in (
        f"http://localhost:{port}/",
        f"http://127.0.0.1:{port + 1}/",
        f"http://127.1:{port}/",
        f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://0.0.0.0:{port}/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
    ):
        answer = await client.post(URL, json={"url": url, "event_types": ["*"]}, headers=me)
        assert answer.status_code == 422, url
        webhook = (await client.get(URL, headers=me)).json()["items"][0]["id"]
        answer = await client.patch(f"{URL}/{webhook}", json={"url": url}, headers=me)
        assert answer.status_code == 422, url
        assert answer.json()["error"]["details"][0]["field"] == "body.url"


async def test_change(client, me, made, receiver):
    webhook = await made()
    path = f"{URL}/{webhook['id']}"
    tag = (await client.get(path, headers=me)).headers["etag"]
    changed = await client.patch(path, json={"description": "Other"}, headers=me | {"If-Match": tag})
    assert changed.json()["description"] == "Other"
    assert "secret" not in changed.json()
    assert changed.headers["etag"] != tag
    stale = await client.patch(path, json={"description": "x"}, headers=me | {"If-Match": tag})
    assert stale.status_code == 412
    same = await client.patch(path, json={"description": "Other"}, headers=me)
    assert same.headers["etag"] == changed.headers["etag"]
    whole = {"url": receiver.url + "&b=2", "event_types": ["auth.*"], "description": "", "ordered": True}
    assert (await client.put(path, json=whole, headers=me)).status_code == 422
    replaced = (await client.put(path, json=whole | {"status": "active"}, headers=me)).json()
    assert {name: replaced[name] for name in whole} == whole
    assert replaced == (await client.get(path, headers=me)).json()
    assert (await client.delete(path, headers=me | {"If-Match": tag})).status_code == 412
    assert (await client.delete(path, headers=me)).status_code == 204
    assert (await client.get(path, headers=me)).status_code == 404
    assert (await client.delete(path, headers=me)).status_code == 404


async def test_disabling_ends_what_waits_and_active_begins_anew(client, me, made, rows):
    webhook = await made()
    path = f"{URL}/{webhook['id']}"
    await client.post(f"{path}/test", headers=me)
    await rows.change(Webhook, failing_since=now() - timedelta(days=4))
    disabled = (await client.patch(path, json={"status": "disabled"}, headers=me)).json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "You disabled it.")
    delivery = await rows.one()
    assert (delivery.status, delivery.last_error) == ("failed", "The webhook was disabled.")
    for action in ("test", "redeliver", f"deliveries/{delivery.id}/redeliver"):
        body = {"since": rfc3339(now() - timedelta(days=1))} if action == "redeliver" else None
        refused = await client.post(f"{path}/{action}", json=body, headers=me)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_STATE"), action
    enabled = (await client.patch(path, json={"status": "active"}, headers=me)).json()
    assert (enabled["status"], enabled["disabled_reason"], enabled["failing_since"]) == ("active", None, None)


async def test_twenty_at_most(client, me, receiver, create):
    body = {"url": receiver.url, "event_types": ["*"]}
    answers = await asyncio.gather(*(client.post(URL, json=body, headers=me) for _ in range(22)))
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [422] * 2
    [refused, _] = [answer for answer in answers if answer.status_code == 422]
    assert "20 webhooks" in refused.json()["error"]["message"]


async def test_event_types_are_listed(client, me):
    answer = await client.get(f"{URL}/event-types", headers=me)
    told = {each["type"]: each for each in answer.json()["items"]}
    assert told["resource.task.created.v1"] == {
        "type": "resource.task.created.v1",
        "description": "A task was created.",
        "scope": "tasks:read",
        "schema": {
            "description": "A task was created.",
            "type": "object",
            "properties": {
                "task_id": {"type": "string", "format": "uuid"},
                "user_id": {"type": "string", "format": "uuid"},
                "title": {"type": "string"},
                "created_at": {"type": "string", "format": "date-time"},
            },
            "required": ["task_id", "user_id", "title", "created_at"],
        },
    }
    assert list(told) == list(EVENT_TYPES)
    assert "reason" not in told["auth.user.blocked.v1"]["schema"]["properties"]
    for hidden in ("participants", "$ref"):
        assert hidden not in answer.text


async def test_event_types_may_be_kept(client, me):
    answer = await client.get(f"{URL}/event-types", headers=me)
    assert answer.headers["cache-control"] == "private, max-age=3600"
    same = await client.get(f"{URL}/event-types", headers=me | {"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


async def test_what_is_posted_is_as_the_schema_says(client, me, made, hooks, receiver, task):
    await made()
    await task()
    await hooks().send_due()
    items = (await client.get(f"{URL}/event-types", headers=me)).json()["items"]
    [schema] = [each["schema"] for each in items if each["type"] == "resource.task.created.v1"]
    data = json.loads(receiver.got[0].body)["data"]
    assert list(data) == list(schema["properties"]) == schema["required"]


async def test_a_test_is_delivered_whatever_is_subscribed(client, me, made, hooks, receiver):
    webhook = await made(event_types=["auth.*"])
    answer = await client.post(f"{URL}/{webhook['id']}/test", headers=me)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await hooks().send_due()
    body = Verifier(webhook["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)
    assert (body["type"], body["data"]) == ("grove.webhook.test.v1", {"webhook_id": webhook["id"]})
    delivery = (await client.get(f"{URL}/{webhook['id']}/deliveries/{answer.json()['id']}", headers=me)).json()
    assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("delivered", 1, 200)
    assert delivery["body"] == receiver.got[0].body
    assert delivery["next_attempt_at"] is None


@pytest.mark.usefixtures("stopped_limits")
async def test_tests_have_a_limit_of_their_own(client, me, made, resources, monkeypatch):
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    webhook = await made()
    for _ in range(10):
        assert (await client.post(f"{URL}/{webhook['id']}/test", headers=me)).status_code == 202
    refused = await client.post(f"{URL}/{webhook['id']}/test", headers=me)
    assert refused.status_code == 429
    assert '"webhook_test";q=10;w=3600' in refused.headers["ratelimit-policy"]


async def test_rotation_with_overlap(client, me, made, hooks, receiver):
    webhook = await made()
    path = f"{URL}/{webhook['id']}"
    rotated = await client.post(f"{path}/rotate-secret", headers=me)
    assert rotated.status_code == 200
    secret = rotated.json()["secret"]
    assert secret != webhook["secret"]
    sender = hooks()

    async def signed_by(*secrets: str) -> list[bool]:
        await client.post(f"{path}/test", headers=me)
        await sender.send_due()
        got = receiver.got[-1]
        found = []
        for each in secrets:
            try:
                Verifier(each).verify(got.body, got.headers)
                found.append(True)
            except WebhookVerificationError:
                found.append(False)
        return found

    assert await signed_by(webhook["secret"], secret) == [True, True]
    again = await client.post(f"{path}/rotate-secret", json={"overlap_hours": 0}, headers=me)
    assert await signed_by(webhook["secret"], secret, again.json()["secret"]) == [False, False, True]
    for hours in (-1, 25, "x"):
        answer = await client.post(f"{path}/rotate-secret", json={"overlap_hours": hours}, headers=me)
        assert answer.status_code == 422


async def test_a_pair_shows_its_public_half_always_and_the_private_one_never(client, me, made, rows):
    webhook = await made(signature="v1a")
    assert webhook["secret"] is None
    assert webhook["public_key"].startswith("whpk_")
    path = f"{URL}/{webhook['id']}"
    assert (await client.get(path, headers=me)).json()["public_key"] == webhook["public_key"]
    rotated = (await client.post(f"{path}/rotate-secret", headers=me)).json()
    assert rotated["secret"] is None
    assert rotated["public_key"] not in {None, webhook["public_key"]}
    assert (await client.get(path, headers=me)).json()["public_key"] == rotated["public_key"]
    assert "whsk_" not in (await client.get(path, headers=me)).text


async def test_a_repeated_request_has_one_effect_and_its_secret_is_stored_sealed(client, me, receiver, resources):
    body, key = {"url": receiver.url, "event_types": ["*"]}, {"Idempotency-Key": "k1"}
    first = await client.post(URL, json=body, headers=me | key)
    second = await client.post(URL, json=body, headers=me | key)
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status_code, second.json()) == (201, first.json())
    assert (await client.get(URL, headers=me)).json()["total"] == 1
    async with resources.sessions() as session:
        [stored] = (await session.scalars(select(IdempotencyKeyRow))).all()
    assert first.json()["secret"].encode() not in stored.body
    other = await client.post(URL, json=body | {"description": "x"}, headers=me | key)
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    stored_elsewhere = await client.post(
        f"{URL}/{first.json()['id']}/rotate-secret", headers=me | {"Idempotency-Key": "k2"}
    )
    again = await client.post(f"{URL}/{first.json()['id']}/rotate-secret", headers=me | {"Idempotency-Key": "k2"})
    assert again.json()["secret"] == stored_elsewhere.json()["secret"]


async def test_a_repeated_request_is_answered_whatever_its_url_leads_to_by_then(
    client, me, receiver, resources, monkeypatch
):
    body, key = {"url": receiver.url, "event_types": ["*"]}, {"Idempotency-Key": "k1"}
    first = await client.post(URL, json=body, headers=me | key)
    monkeypatch.setattr(resources, "targets", Targets([443], [], resolve))
    again = await client.post(URL, json=body, headers=me | key)
    assert (again.status_code, again.json()) == (201, first.json())
    refused = await client.post(URL, json=body, headers=me | {"Idempotency-Key": "k2"})
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, "body.url")
    other = await client.post(URL, json=body | {"description": "x"}, headers=me | key)
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("signature", ["v1", "v1a"])
async def test_a_secret_that_can_not_be_read_can_be_rotated(client, me, made, rows, hooks, receiver, signature):
    webhook = await made(signature=signature)
    await rows.change(Webhook, secrets="v9.AAAA")
    rotated = await client.post(f"{URL}/{webhook['id']}/rotate-secret", headers=me)
    assert rotated.status_code == 200, rotated.text
    new = rotated.json()
    assert (new["secret"] is None) == (signature == "v1a")
    assert (new["public_key"] is None) == (signature == "v1")
    await client.post(f"{URL}/{webhook['id']}/test", headers=me)
    await hooks().send_due()
    [got] = receiver.got
    assert len(got.headers["webhook-signature"].split()) == 1
    if signature == "v1":
        Verifier(new["secret"]).verify(got.body, got.headers)


async def test_an_answer_that_can_not_be_opened_any_more(client, me, receiver, rows):
    body, key = {"url": receiver.url, "event_types": ["*"]}, {"Idempotency-Key": "k1"}
    await client.post(URL, json=body, headers=me | key)
    await rows.change(IdempotencyKeyRow, body=b"v9.AAAA")
    assert (await client.post(URL, json=body, headers=me | key)).status_code == 409
