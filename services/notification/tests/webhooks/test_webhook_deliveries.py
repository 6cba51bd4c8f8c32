"""Deliveries over HTTP: lists, and sending again."""

import json
from datetime import timedelta

import pytest

from grove.core.clock import now, rfc3339
from grove_notification.models import WebhookDelivery

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"


@pytest.fixture(autouse=True)
def one_try(configure):
    """The first failure is the last."""
    configure(retry_seconds=[])


async def test_deliveries_are_listed_and_filtered(client, me, made, receiver, delivered):
    webhook = await made()
    receiver.answers_first(status=500)
    items = await delivered(webhook, 5)
    path = f"{URL}/{webhook['id']}/deliveries"
    assert [each["status"] for each in items] == ["failed", *["delivered"] * 4]
    assert list(items[0]) == ["id", "event_id", "message_id", "event_type", "status", "attempts", "response_status",
                              "response_excerpt", "error", "next_attempt_at", "created_at", "finished_at"]  # fmt: skip
    failed = (await client.get(f"{path}?status=failed", headers=me)).json()
    assert failed["items"] == [items[0]]
    none = (await client.get(f"{path}?event_type=resource.task.created.v1", headers=me)).json()
    assert none["total"] == 0
    assert (await client.get(f"{path}?event_type=grove.webhook.test.v1", headers=me)).json()["total"] == 5
    assert (await client.get(f"{path}?status=lost", headers=me)).status_code == 422
    walked, cursor = [], ""
    while cursor is not None:
        page = (await client.get(path, params={"cursor": cursor, "size": 2}, headers=me)).json()
        walked += page["items"]
        cursor = page["next_cursor"]
    assert walked == items[::-1]


async def test_one_message_or_event_or_day_is_found(client, me, made, delivered, rows):
    webhook = await made()
    items = await delivered(webhook, 3)
    path = f"{URL}/{webhook['id']}/deliveries"

    async def found(**asked) -> list[dict]:
        numbered = (await client.get(path, params=asked, headers=me)).json()
        walked = (await client.get(path, params=asked | {"cursor": ""}, headers=me)).json()
        assert numbered["items"] == walked["items"]
        return numbered["items"]

    first, second, third = items
    assert await found(message_id=second["message_id"]) == [second]
    assert await found(event_id=second["event_id"]) == [second]
    assert await found(message_id=second["event_id"]) == await found(event_id=second["message_id"]) == []
    assert await found(event_id=second["event_id"], status="failed") == []
    assert await found(date_from=second["created_at"]) == [third, second]
    assert await found(date_to=second["created_at"]) == [first]
    assert await found(date_from=second["created_at"], date_to=third["created_at"]) == [second]
    swapped = {"date_from": third["created_at"], "date_to": first["created_at"]}
    assert (await client.get(path, params=swapped, headers=me)).status_code == 422
    former = first["event_id"]  # as deliveries of before have it
    await rows.change(WebhookDelivery, message_id=former)
    assert [each["id"] for each in await found(event_id=former)] == [first["id"]]


async def test_a_delivery_has_an_etag(client, me, made, delivered, hooks, receiver):
    webhook = await made()
    sent = await client.post(f"{URL}/{webhook['id']}/test", headers=me)
    path = f"{URL}/{webhook['id']}/deliveries/{sent.json()['id']}"
    got = await client.get(path, headers=me)
    assert got.headers["etag"] == sent.headers["etag"]
    same = await client.get(path, headers=me | {"If-None-Match": got.headers["etag"]})
    assert (same.status_code, same.headers["etag"], same.content) == (304, got.headers["etag"], b"")
    await hooks().send_due()
    ended = await client.get(path, headers=me | {"If-None-Match": got.headers["etag"]})
    assert (ended.status_code, ended.json()["status"]) == (200, "delivered")
    for action, status in (("redeliver", 202), ("skip", 200)):
        answer = await client.post(f"{path}/{action}", headers=me)
        assert answer.status_code == status
        assert answer.headers["etag"] == (await client.get(path, headers=me)).headers["etag"] != ended.headers["etag"]


async def test_redelivery_is_under_the_same_id(client, me, made, receiver, delivered, hooks):
    webhook = await made()
    receiver.answers_first(status=500)
    [failed] = await delivered(webhook, 1)
    path = f"{URL}/{webhook['id']}/deliveries/{failed['id']}"
    answer = await client.post(f"{path}/redeliver", headers=me)
    assert answer.status_code == 202
    queued = answer.json()
    assert (queued["id"], queued["status"], queued["attempts"]) == (failed["id"], "pending", 0)
    await hooks().send_due()
    assert (await client.get(path, headers=me)).json()["status"] == "delivered"
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]
    assert receiver.got[0].body == receiver.got[1].body


async def test_bulk_redelivery_of_a_time_range(client, me, made, receiver, delivered, hooks, rows):
    webhook = await made()
    for status in (500, 500, 200, 500):
        receiver.answers_first(status=status)
    items = await delivered(webhook, 4)
    path = f"{URL}/{webhook['id']}/redeliver"

    async def queued(**body) -> int:
        answer = await client.post(path, json=body, headers=me)
        assert answer.status_code == 202, answer.text
        assert answer.json()["next_since"] is None
        return answer.json()["queued"]

    assert await queued(since=items[1]["created_at"], until=items[3]["created_at"]) == 1
    assert {str(each.id) for each in await rows.deliveries(WebhookDelivery.status == "pending")} == {items[1]["id"]}
    assert await queued(since=items[0]["created_at"]) == 2
    assert await queued(since=items[0]["created_at"], status="all") == 1
    assert await queued(since=items[0]["created_at"], status="all") == 0
    assert await hooks().send_due() == 4
    assert {each.status for each in await rows.deliveries()} == {"delivered"}


async def test_more_than_one_request_takes_is_sent_by_asking_again(
    client, me, made, receiver, hooks, queue, rows, monkeypatch
):
    """Also of those that were delivered: what was queued before is not queued again, and the end comes."""
    monkeypatch.setattr("grove_notification.webhooks.deliveries.repository.AT_ONCE", 2)
    webhook, begin = await made(), now() - timedelta(hours=1)
    for number in (0, 1, 1, 2, 3):
        created = begin + timedelta(microseconds=number)
        ended = {"status": "delivered", "attempts": 1, "next_attempt_at": None, "finished_at": created}
        await queue(webhook, [str(number)], created_at=created, **ended)
    sender, body, found = hooks(), {"since": rfc3339(begin), "status": "all"}, []
    for _ in range(3):
        answer = (await client.post(f"{URL}/{webhook['id']}/redeliver", json=body, headers=me)).json()
        await sender.send_due()
        found.append(answer["queued"])
        if answer["next_since"] is None:
            break
        body["since"] = answer["next_since"]
    assert found == [3, 2], "those of the same moment go together"
    assert sorted(json.loads(got.body)["title"] for got in receiver.got) == ["0", "1", "1", "2", "3"]


async def test_sending_again_does_not_queue_more_than_half_of_what_may_wait(
    client, me, made, queue, hooks, configure, rows
):
    """Facts need room as well: beyond the limit the webhook would be disabled."""
    configure(pending_max=4, retry_seconds=[])
    webhook, begin = await made(), now() - timedelta(hours=1)
    for number in range(5):
        created = begin + timedelta(seconds=number)
        await queue(webhook, ["a"], created_at=created, status="failed", next_attempt_at=None, finished_at=created)
    path, body = f"{URL}/{webhook['id']}/redeliver", {"since": rfc3339(begin)}
    first = (await client.post(path, json=body, headers=me)).json()
    assert first["queued"] == 2
    body["since"] = first["next_since"]
    assert (await client.post(path, json=body, headers=me)).json() == {"queued": 0, "next_since": body["since"]}
    await hooks().send_due()
    second = (await client.post(path, json=body, headers=me)).json()
    assert (second["queued"], second["next_since"] is None) == (2, False)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "2100-01-01T00:00:00Z"},
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "2026-01-01T00:00:00Z", "status": "pending"},
    ],
)
async def test_a_range_that_makes_no_sense(client, me, made, body):
    webhook = await made()
    assert (await client.post(f"{URL}/{webhook['id']}/redeliver", json=body, headers=me)).status_code == 422
