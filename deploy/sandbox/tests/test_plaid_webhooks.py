"""Plaid's webhooks: signed with a key that can be asked for, and wrongly in every way that a client must refuse."""

import base64
import hashlib
import json
import time

import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import SecretStr

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

HEADERS = {"PLAID-CLIENT-ID": "grove", "PLAID-SECRET": "s"}


@pytest.fixture
async def sandbox():
    app = create_app(SandboxSettings(plaid_secret=SecretStr("s")))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


async def made(sandbox, wrong: str | None = None, **more) -> tuple[str, str]:
    """Token and body."""
    wanted = {"webhook_type": "ITEM", "webhook_code": "ERROR", "more": more, "wrong": wrong}
    answer = (await sandbox.post("/control/plaid/items/i/webhooks", json=wanted)).json()
    return answer["headers"].get("plaid-verification", ""), answer["body"]


def header_of(token: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))


async def key(sandbox, token: str) -> dict:
    body = {"key_id": header_of(token)["kid"]}
    return (await sandbox.post("/plaid/webhook_verification_key/get", json=body, headers=HEADERS)).json()


async def claims(sandbox, token: str) -> dict:
    return jwt.decode(token, ECKey.import_key((await key(sandbox, token))["key"]), algorithms=["ES256"]).claims


async def test_a_webhook_is_signed_with_a_key_that_can_be_asked_for(sandbox):
    token, body = await made(sandbox, error={"error_code": "ITEM_LOGIN_REQUIRED"})
    told = json.loads(body)
    assert (told["item_id"], told["error"]) == ("i", {"error_code": "ITEM_LOGIN_REQUIRED"})
    given = await claims(sandbox, token)
    assert given["request_body_sha256"] == hashlib.sha256(body.encode()).hexdigest()
    assert abs(given["iat"] - time.time()) < 60


async def test_webhooks_can_be_wrong(sandbox):
    assert (await made(sandbox, "no_header"))[0] == ""
    assert (await claims(sandbox, (await made(sandbox, "old"))[0]))["iat"] < time.time() - 300
    assert (await claims(sandbox, (await made(sandbox, "future"))[0]))["iat"] > time.time() + 300
    token, body = await made(sandbox, "body")
    assert (await claims(sandbox, token))["request_body_sha256"] != hashlib.sha256(body.encode()).hexdigest()
    token, _ = await made(sandbox, "alg_none")
    assert (header_of(token)["alg"], token.rpartition(".")[2]) == ("none", "")
    assert header_of((await made(sandbox, "public_key_as_secret"))[0])["alg"] == "HS256"
    with pytest.raises(JoseError):
        await claims(sandbox, (await made(sandbox, "key"))[0])
    unknown = await key(sandbox, (await made(sandbox, "unknown_key"))[0])
    assert unknown["error_code"] == "INVALID_WEBHOOK_VERIFICATION_KEY_ID"


async def test_keys_are_rotated_and_those_before_put_away(sandbox):
    old, _ = await made(sandbox)
    await sandbox.post("/control/plaid/keys")
    new, _ = await made(sandbox)
    assert header_of(new)["kid"] != header_of(old)["kid"]
    assert header_of((await made(sandbox, "previous_key"))[0])["kid"] == header_of(old)["kid"]
    assert (await key(sandbox, old))["key"]["expired_at"] is None
    await sandbox.post("/control/plaid/keys", params={"expire": True})
    assert (await key(sandbox, old))["key"]["expired_at"] is not None
    assert (await key(sandbox, (await made(sandbox))[0]))["key"]["expired_at"] is None
