"""The sandbox behaves as a provider would."""

import base64
import hashlib
from urllib.parse import parse_qs, urlparse

import httpx2
import pytest
from pydantic import SecretStr

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
BASIC = httpx2.BasicAuth("grove", "s")
BACK = "https://client.test/back"
ASKED = {
    "client_id": "grove",
    "redirect_uri": BACK,
    "state": "st",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "response_type": "code",
    "scope": "accounts",
}


@pytest.fixture
async def bank():
    app = create_app(SandboxSettings(client_secret=SecretStr("s"), page_size=50))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bank") as client:
        yield client


async def code(bank, **changes) -> dict:
    answer = await bank.post("/oauth/authorize", data=ASKED | changes)
    if answer.status_code != 303:
        return {"status": answer.status_code}
    return {name: values[0] for name, values in parse_qs(urlparse(answer.headers["location"]).query).items()}


async def swap(bank, code_: str, **changes) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "code": code_, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return await bank.post("/oauth/token", data=form | changes, auth=BASIC)


async def refresh(bank, token: str) -> httpx2.Response:
    return await bank.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token}, auth=BASIC)


async def test_consent_is_asked_for_and_a_code_works_once_with_its_verifier(bank):
    page = await bank.get("/oauth/authorize", params=ASKED | {"state": '"><script>'})
    assert "<script>" not in page.text
    for each in ('<html lang="en">', 'name="viewport"', "<title>Sandbox Bank</title>", "padding:0 1.5rem"):
        assert each in page.text
    given = await code(bank)
    assert given["state"] == "st"
    assert (await swap(bank, given["code"], code_verifier="x" * 43)).status_code == 400
    given = await code(bank)
    tokens = (await swap(bank, given["code"])).json()
    assert tokens["token_type"] == "Bearer"
    assert (await swap(bank, given["code"])).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"decision": "deny"}, {"error": "access_denied", "state": "st"}),
        ({"code_challenge_method": "plain"}, {"error": "invalid_request", "state": "st"}),
        ({"client_id": "other"}, {"status": 400}),
    ],
)
async def test_wrong_requests_are_refused(bank, changes, error):
    assert await code(bank, **changes) == error


async def test_the_client_must_prove_itself(bank):
    assert (await bank.post("/oauth/token", data={"grant_type": "refresh_token"})).status_code == 401
    assert (await bank.post("/oauth/revoke", data={"token": "x"})).status_code == 401
    unsupported = await bank.post("/oauth/token", data={"grant_type": "password"}, auth=BASIC)
    assert unsupported.json()["error"] == "unsupported_grant_type"


async def test_refresh_tokens_rotate_and_reuse_ends_everything(bank):
    tokens = (await swap(bank, (await code(bank))["code"])).json()
    newer = (await refresh(bank, tokens["refresh_token"])).json()
    assert (await refresh(bank, tokens["refresh_token"])).status_code == 400
    assert (await refresh(bank, newer["refresh_token"])).status_code == 400
    headers = {"Authorization": f"Bearer {newer['access_token']}"}
    assert (await bank.get("/api/accounts", headers=headers)).status_code == 401


async def test_changes_are_walked_by_cursor_and_made_by_control(bank):
    tokens = (await swap(bank, (await code(bank, customer="ada"))["code"])).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert len((await bank.get("/api/accounts", headers=headers)).json()["accounts"]) == 2
    cursor, seen = "", 0
    while True:
        page = (await bank.get("/api/transactions", params={"cursor": cursor}, headers=headers)).json()
        seen += len(page["added"])
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert seen == 120
    base = "/control/customers/ada/transactions"
    await bank.post(base, json={"id": "n", "amount": "1", "description": "New"})
    await bank.patch(f"{base}/n", params={"description": "Changed"})
    await bank.delete(f"{base}/n")
    page = (await bank.get("/api/transactions", params={"cursor": cursor}, headers=headers)).json()
    assert ([t["id"] for t in page["added"]], page["modified"][0]["description"], page["removed"]) == (
        ["n"],
        "Changed",
        ["n"],
    )
    assert len((await bank.get(base)).json()) == 120
    await bank.post("/control/customers/ada/expire")
    assert (await bank.get("/api/transactions", headers=headers)).status_code == 401
    assert (await refresh(bank, tokens["refresh_token"])).status_code == 200
    await bank.post("/oauth/revoke", data={"token": tokens["access_token"]}, auth=BASIC)


async def test_faults_on_demand(bank):
    await bank.post("/control/faults", json={"path": "/health", "status": 429, "retry_after": 9, "times": 2})
    answers = [await bank.get("/health") for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "9"
    await bank.post("/control/faults", json={"path": "/health", "delay_seconds": 0.1})
    assert (await bank.get("/health")).status_code == 200
    await bank.post("/control/faults", json={"path": "/health", "status": 500})
    await bank.delete("/control/faults")
    assert (await bank.get("/health")).status_code == 200
    assert (await bank.get("/control/calls")).json() == {}


async def test_sms_are_taken_from_who_may_send_and_kept_to_be_read(bank):
    message = {"to": "+4930123456", "text": "1234"}
    assert (await bank.post("/sms/messages", json=message)).status_code == 401
    allowed = {"Authorization": "Bearer sandbox"}
    assert (await bank.post("/sms/messages", json=message, headers=allowed)).status_code == 202
    assert (await bank.post("/sms/messages", json=message | {"to": "0301"}, headers=allowed)).status_code == 422
    assert (await bank.get("/sms/messages", params={"to": "+4930123456"})).json() == [message]
    assert (await bank.get("/sms/messages", params={"to": "+4930999999"})).json() == []
    for number in range(1001):
        await bank.post("/sms/messages", json=message | {"text": str(number)}, headers=allowed)
    kept = (await bank.get("/sms/messages")).json()
    assert (len(kept), kept[-1]["text"]) == (1000, "1000")
