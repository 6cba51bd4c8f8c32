"""What a delivery tells of its tries: each answer, not the last one only."""

import asyncio

import pytest

from grove_notification.webhooks.deliveries.recording import TRIES

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"
FAST = 1e-7


@pytest.fixture(autouse=True)
def fast(configure):
    configure(retry_scale=FAST, disable_days=1e9)


@pytest.fixture
def read(client, me):
    """The webhook's only delivery, with its tries."""

    async def read(webhook: dict) -> dict:
        path = f"{URL}/{webhook['id']}/deliveries"
        [item] = (await client.get(path, headers=me)).json()["items"]
        assert "tries" not in item
        return (await client.get(f"{path}/{item['id']}", headers=me)).json()

    return read


async def settle(sender) -> None:
    while await sender.send_due():
        await asyncio.sleep(0.02)


async def test_each_try_is_told_of(made, receiver, hooks, task, read):
    webhook = await made()
    receiver.answers_first(status=500, body="no disk")
    receiver.answers_first(status=302, body="")
    receiver.answers_first(status=200, body="thanks")
    await task()
    await settle(hooks())
    delivery = await read(webhook)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 3)
    told = [(each["response_status"], each["response_excerpt"], each["error"]) for each in delivery["tries"]]
    assert told == [
        (500, "no disk", "The endpoint answered 500."),
        (302, None, "The endpoint answered 302. Redirects are not followed: change the URL."),
        (200, "thanks", None),
    ]
    moments = [each["at"] for each in delivery["tries"]]
    assert moments == sorted(moments)
    assert delivery["created_at"] <= moments[0] <= moments[-1] <= delivery["finished_at"]
    assert {type(each["duration_ms"]) for each in delivery["tries"]} == {int}


async def test_a_call_that_got_no_answer_is_told_of(made, receiver, hooks, task, read):
    webhook = await made()
    await receiver.stop()
    await task()
    await hooks().send_due()
    tries = (await read(webhook))["tries"]
    assert {(each["response_status"], each["response_excerpt"]) for each in tries} == {(None, None)}
    assert all(each["error"].startswith("There was no answer: ") for each in tries)


async def test_sending_again_goes_on_with_the_story_and_keeps_the_newest(client, me, made, receiver, hooks, task, read):
    webhook = await made()
    receiver.answers(status=500)
    await task()
    sender = hooks()
    for _ in range(3):
        await settle(sender)
        delivery = await read(webhook)
        assert (delivery["status"], delivery["attempts"]) == ("failed", 8)
        path = f"{URL}/{webhook['id']}/deliveries/{delivery['id']}/redeliver"
        assert (await client.post(path, headers=me)).status_code == 202
    receiver.answers(status=200)
    await settle(sender)
    delivery = await read(webhook)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert [each["response_status"] for each in delivery["tries"]] == [500] * (TRIES - 1) + [200]


async def test_a_try_that_could_not_be_written_as_a_whole_is_told_of(made, receiver, hooks, task, read, monkeypatch):
    async def broken(*_):
        raise ValueError("some fault")

    monkeypatch.setattr("grove_notification.webhooks.deliveries.recording.Recorder._healed", broken)
    webhook = await made()
    await task()
    await hooks().send_due()
    [only] = (await read(webhook))["tries"]
    assert (only["response_status"], only["response_excerpt"], only["error"]) == (200, None, None)
