"""A planned rotation of signing keys, under load."""

import asyncio
import base64
import json

import pytest
from joserfc.jws import extract_compact

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove.security.tokens import KeyCache, TokenVerifier
from grove_auth.keys.rotation import KeyRotation

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_key_is_left")]
AUTH = "/api/v1/auth"
LEAD_SECONDS = 3600


async def me(person, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await person.client.get(f"{AUTH}/me", headers=headers)).status_code


def key_id(token: str) -> str:
    return extract_compact(token.encode()).headers()["kid"]


class Verifiers:
    """Services that check tokens, each with keys of its own cache."""

    def __init__(self, settings, client, count: int) -> None:
        self.all = [
            TokenVerifier(
                KeyCache(lambda: self.jwks(client)), issuer=settings.public_auth_url, audience=settings.public_api_url
            )
            for _ in range(count)
        ]

    @staticmethod
    async def jwks(client) -> dict:
        return (await client.get("/.well-known/jwks.json")).json()

    async def verify(self, token: str) -> None:
        for verifier in self.all:
            await verifier.verify(token)

    def wait(self, seconds: float) -> None:
        """So long ago is now what they asked for last."""
        for verifier in self.all:
            verifier._keys._asked_for_unknown -= seconds


async def test_a_rotation_under_load_refuses_no_valid_token(ada, client, settings, resources, monkeypatch):
    """The new key's time comes by the database: however slow the machine, some tokens are signed before and after."""
    monkeypatch.setattr(resources, "settings", settings.model_copy(update={"signing_key_lead_seconds": LEAD_SECONDS}))
    verifiers = Verifiers(settings, client, 4)
    old = ada.tokens["access_token"]
    await verifiers.verify(old)
    keys = await KeyRotation(resources).rotate()
    assert len((await verifiers.jwks(client))["keys"]) == 2
    assert key_id((await ada.refresh()).json()["access_token"]) == key_id(old), "published, but does not sign yet"
    with pytest.raises(InvalidToken):
        await verifiers.all[0].verify(_with_unknown_key(old))  # somebody guesses meanwhile

    async def signs() -> str:
        await ada.login()
        token = ada.tokens["access_token"]
        await asyncio.gather(verifiers.verify(token), verifiers.verify(old))
        assert await me(ada, token) == await me(ada, old) == 200
        return key_id(token)

    assert {await signs() for _ in range(10)} == {key_id(old)}
    verifiers.wait(LEAD_SECONDS)
    await resources.database["signing_keys"].update_one({"_id": keys[0].id}, {"$set": {"signs_from": now()}})
    async with asyncio.timeout(60):
        while await signs() != keys[0].id:
            continue
    assert {await signs() for _ in range(10)} == {keys[0].id}


def _with_unknown_key(token: str) -> str:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "unknown"}
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return ".".join([encoded, *token.split(".")[1:]])
