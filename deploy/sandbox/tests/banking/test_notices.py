"""The bank's webhooks: signed as Standard Webhooks says, and sent after what changes."""

import asyncio
import json

import httpx2
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from grove_sandbox.app import create_app
from grove_sandbox.banking.notices import Notices
from grove_sandbox.settings import SandboxSettings

GUARD = 20
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"  # pragma: allowlist secret


async def test_a_webhook_is_signed_and_says_what_it_is_about(bank):
    secret = SandboxSettings().webhook_secret.get_secret_value()
    asked = {"type": "consent.ends_soon", "consent_ends_at": "2027-01-01T00:00:00Z"}
    made = (await bank.http.post("/control/customers/ada/webhook", json=asked)).json()
    body = Webhook(secret).verify(made["body"], made["headers"])
    assert (body["type"], body["customer_id"]) == ("consent.ends_soon", "ada")
    assert body["consent_ends_at"] == "2027-01-01T00:00:00+00:00"
    old = await bank.http.post("/control/customers/ada/webhook", json={"type": "access.refused", "seconds_ago": 900})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(old.json()["body"], old.json()["headers"])
    assert (await bank.http.post("/control/customers/ada/webhook", json={"type": "x"})).status_code == 422


async def test_an_end_that_is_near_is_told_by_default(bank):
    for seconds in (7200, 3600):
        await bank.behave(consent_seconds=seconds)
        tokens = await bank.consent("nora")
    asked = {"type": "consent.ends_soon"}
    made = (await bank.http.post("/control/customers/nora/webhook", json=asked)).json()
    assert json.loads(made["body"])["consent_ends_at"] == tokens["consent_ends_at"]
    other = (await bank.http.post("/control/customers/nobody/webhook", json=asked)).json()
    assert "consent_ends_at" not in json.loads(other["body"])


async def received(http, name: str, count: int) -> list[dict]:
    async with asyncio.timeout(GUARD):
        while len(got := (await http.get(f"/control/webhooks/{name}")).json()) < count:
            await asyncio.sleep(0.01)
    return got


async def test_what_changes_is_told_and_a_receiver_that_fails_is_tried_again(bank, address):
    told = SandboxSettings(
        webhook_url=f"{address.replace('127.0.0.1', 'api.localhost')}/webhooks/receive/told",
        webhook_secret=SecretStr(SECRET),
        client_secret=SecretStr("s"),
    )
    await bank.http.put("/control/webhooks/told", json={"status": 500, "times": 1})
    app = create_app(told)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bank") as other:
        await other.post("/control/customers/ada/life", params={"steps": 3})
        got = await received(bank.http, "told", 2)
        assert got[0]["body"] == got[1]["body"]
        await other.post("/control/customers/ada/revoke")
        got = await received(bank.http, "told", 3)
    assert got[0]["headers"]["host"].startswith("api.localhost:")
    kinds = [Webhook(SECRET).verify(each["body"], each["headers"])["type"] for each in got]
    assert kinds == ["transactions.changed", "transactions.changed", "consent.withdrawn"]
    await app.state.notices.aclose()


async def test_a_bank_without_an_address_sends_nothing_and_what_waits_is_bounded(monkeypatch):
    quiet = Notices(SandboxSettings())
    quiet.send(quiet.signed("access.repaired", "ada"))
    assert not quiet._sending
    monkeypatch.setattr("grove_sandbox.banking.notices.MOST_WAITING", 2)
    busy = Notices(SandboxSettings(webhook_url="http://127.0.0.1:9/"))
    for _ in range(5):
        busy.send(busy.signed("transactions.changed", "ada"))
    assert len(busy._sending) == 2
    await busy.aclose()
    assert json.loads(quiet.signed("access.repaired", "ada").body)["type"] == "access.repaired"
    assert not busy._sending
