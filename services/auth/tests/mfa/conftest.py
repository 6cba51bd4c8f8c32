"""Somebody with a second factor."""

import httpx2
import pyotp
import pytest

AUTH = "/api/v1/auth"


class Guarded:
    """Ada with an authenticator app, whose every code is a new one: the time steps she used are forgotten."""

    def __init__(self, person, resources, secret: str, backup_codes: list[str]) -> None:
        self.person, self.resources = person, resources
        self.secret, self.backup_codes = secret, backup_codes

    async def code(self) -> str:
        await self.resources.database["second_factors"].update_many({}, {"$set": {"totp_step": 0}})
        return pyotp.TOTP(self.secret).now()

    async def challenge(self, **changes) -> str:
        """The mfa_token of a sign-in that waits."""
        answer = await self.person.login(**changes)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "MFA_REQUIRED")
        return answer.json()["error"]["details"][0]["mfa_token"]

    async def verify(self, token: str, **proof) -> httpx2.Response:
        answer = await self.person.client.post(f"{AUTH}/mfa/verify", json={"mfa_token": token} | proof)
        if answer.status_code == 200:
            self.person.tokens = answer.json()
        return answer

    async def sign_in(self, **changes) -> httpx2.Response:
        """Both factors."""
        options = {name: changes.pop(name) for name in list(changes) if name in {"cookie", "remember_me", "password"}}
        return await self.verify(await self.challenge(**options), code=await self.code(), **changes)

    async def call(self, method: str, path: str, json: dict | None = None) -> httpx2.Response:
        return await self.person.client.request(method, f"{AUTH}{path}", json=json, headers=self.person.headers)


@pytest.fixture
async def guarded(ada, resources) -> Guarded:
    """Ada, signed in with both factors."""
    begun = await ada.client.post(f"{AUTH}/mfa/totp", headers=ada.headers)
    assert begun.status_code == 200
    secret = begun.json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    confirmed = await ada.client.post(f"{AUTH}/mfa/totp/confirm", json=code, headers=ada.headers)
    assert confirmed.status_code == 200
    guarded = Guarded(ada, resources, secret, confirmed.json()["backup_codes"])
    assert (await guarded.sign_in()).status_code == 200
    return guarded
