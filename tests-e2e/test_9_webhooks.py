"""Webhooks through the whole suite: from a task to an endpoint outside, and never to one inside."""

import asyncio
import json
import os
import signal
from pathlib import Path
from urllib.parse import parse_qsl, urlparse

import httpx2
import pytest
from standardwebhooks import Webhook

from grove.core.ids import new_id
from grove_stack.demo import newest_mail


class Hook:
    """A receiver in the sandbox."""

    def __init__(self, client: httpx2.AsyncClient, sandbox: str) -> None:
        self._client = client
        self._control = f"{sandbox}/control/webhooks/{(name := new_id().hex)}"
        self.url = f"{sandbox}/webhooks/receive/{name}"

    async def behave(self, **behaviour) -> None:
        assert (await self._client.put(self._control, json=behaviour)).status_code == 204

    async def got(self) -> list[dict]:
        return (await self._client.get(self._control)).json()


@pytest.fixture
async def outside():
    async with httpx2.AsyncClient(timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def hook(suite, outside) -> Hook:
    return Hook(outside, suite.file["sandbox_url"])


async def create(person, url: str, **fields) -> dict:
    answer = await person.call("POST", "/webhooks", json={"url": url, "event_types": ["resource.task.*"], **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def deliveries(person, webhook: dict, **query) -> list[dict]:
    answer = await person.call("GET", f"/webhooks/{webhook['id']}/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_a_task_is_told_to_an_endpoint_which_can_tell_that_it_is_us(ada, hook, wait_until):
    webhook = await create(ada, hook.url)
    task = (await ada.call("POST", "/tasks", json={"title": "Plant “Ünï”"})).json()

    async def told() -> bool:
        return bool(await deliveries(ada, webhook, status="delivered"))

    await wait_until(told, 20)
    [got] = await hook.got()
    fact = Webhook(webhook["secret"]).verify(got["body"], got["headers"])
    assert fact["type"] == "resource.task.created.v1"
    assert (fact["data"]["task_id"], fact["data"]["title"]) == (task["id"], "Plant “Ünï”")
    [delivery] = await deliveries(ada, webhook)
    assert delivery["message_id"] == got["headers"]["webhook-id"]
    assert (delivery["attempts"], delivery["response_status"], delivery["response_excerpt"]) == (1, 200, "ok")


async def test_a_test_a_retry_and_a_redelivery(ada, hook, wait_until):
    webhook = await create(ada, hook.url, event_types=["provider_sync.*"])  # of which nothing happens by itself
    path = f"/webhooks/{webhook['id']}"
    await hook.behave(status=500, times=1)
    queued = await ada.call("POST", f"{path}/test")
    assert queued.status_code == 202, queued.text

    async def delivered() -> bool:
        return [each["status"] for each in await deliveries(ada, webhook)] == ["delivered"]

    await wait_until(delivered, 30)  # five seconds later, as the schedule says
    [delivery] = await deliveries(ada, webhook)
    assert delivery["attempts"] == 2
    again = await ada.call("POST", f"{path}/deliveries/{delivery['id']}/redeliver")
    assert again.status_code == 202, again.text
    await wait_until(delivered, 20)
    ids = [got["headers"]["webhook-id"] for got in await hook.got()]
    assert ids == [delivery["message_id"]] * 3
    told = (await ada.call("GET", f"{path}/deliveries/{delivery['id']}")).json()["tries"]
    assert [each["response_status"] for each in told] == [500, 200, 200]


async def test_no_place_inside_can_be_called(suite, ada, hook):
    """The sandbox is reachable by its exact address only; everything else of this machine is not."""
    webhook = await create(ada, hook.url)
    port = urlparse(hook.url).port
    own = [process["address"] for process in suite.file["processes"] if process.get("address")]
    urls = [
        f"http://localhost:{port}/",
        f"http://127.1:{port}/",
        f"http://[::1]:{port}/",
        f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://127.0.0.1:{port}@example.com/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        *(
            f"{scheme}://{address}/"
            for address in own
            if address != f"127.0.0.1:{port}"
            for scheme in ("http", "https")
        ),
    ]
    assert len(urls) > 15
    for url in urls:
        answer = await ada.call("POST", "/webhooks", json={"url": url, "event_types": ["*"]})
        assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "body.url"), url
        answer = await ada.call("PATCH", f"/webhooks/{webhook['id']}", json={"url": url})
        assert answer.status_code == 422, url


async def test_a_redirect_leads_nowhere_and_410_ends_it(suite, ada, hook, outside, wait_until):
    inside = Hook(outside, suite.file["sandbox_url"])
    webhook = await create(ada, hook.url)
    await hook.behave(status=307, location=inside.url, times=1)
    await ada.call("POST", "/tasks", json={"title": "Redirected"})

    async def tried() -> bool:
        return any(each["error"] for each in await deliveries(ada, webhook))

    await wait_until(tried, 20)
    [delivery] = await deliveries(ada, webhook)
    assert (delivery["status"], delivery["response_status"]) == ("pending", 307)
    assert "Redirects are not followed" in delivery["error"]
    assert await inside.got() == []
    await hook.behave(status=410)
    await ada.call("POST", "/tasks", json={"title": "Gone"})

    async def disabled() -> bool:
        return (await ada.call("GET", f"/webhooks/{webhook['id']}")).json()["status"] == "disabled"

    await wait_until(disabled, 20)

    async def told() -> bool:
        mail = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), ada.email)
        return "so it was switched off" in mail and str(urlparse(hook.url).hostname) in mail and hook.url not in mail

    await wait_until(told, 20)


async def test_transactions_of_a_bank_are_told(ada, hook, wait_until):
    await create(ada, hook.url, event_types=["provider_sync.*"])
    started = (await ada.call("POST", "/connections", json={"provider": "sandbox"})).json()
    url = urlparse(started["authorization_url"])
    form = dict(parse_qsl(url.query)) | {"decision": "allow", "customer": ada.email}
    consent = await ada.client.post(url._replace(query="").geturl(), data=form)
    assert (await ada.client.get(consent.headers["location"], headers=ada.headers)).status_code == 200

    async def told() -> bool:
        facts = [json.loads(got["body"]) for got in await hook.got()]
        changed = [fact["data"] for fact in facts if fact["type"] == "provider_sync.transactions.changed.v1"]
        others = {"provider_sync.connection.linked.v1", "provider_sync.run.completed.v1"}
        return sum(data["added"] for data in changed) == 120 and others <= {fact["type"] for fact in facts}

    await wait_until(told, 30)


async def test_what_a_killed_worker_was_sending_is_sent_by_the_next_one(suite, ada, hook, wait_until):
    webhook = await create(ada, hook.url)
    await hook.behave(mode="hang")
    await ada.call("POST", "/tasks", json={"title": "Interrupted"})

    async def under_way() -> bool:
        return bool(await hook.got())

    await wait_until(under_way, 20)
    os.kill(suite.process("notification-worker")["pid"], signal.SIGKILL)
    await hook.behave()

    async def delivered() -> bool:
        return bool(await deliveries(ada, webhook, status="delivered"))

    await wait_until(delivered, 60)  # its lease lasts for as long as the try could have
    [delivery] = await deliveries(ada, webhook)
    assert delivery["attempts"] == 1
    assert len({got["headers"]["webhook-id"] for got in await hook.got()}) == 1


async def test_another_users_webhook_is_not_there(ada, bob, hook):
    webhook = await create(ada, hook.url)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        answer = await bob.call(method, f"/webhooks/{webhook['id']}{path}")
        assert answer.status_code == 404, (method, path)
    assert (await bob.call("GET", "/webhooks")).json()["items"] == []
