"""The sandbox's issuer behaves as one would, and misbehaves when told to."""

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
BASIC = httpx2.BasicAuth("grove-auth", "s")
BACK = "https://client.test/back"
ASKED = {
    "client_id": "grove-auth",
    "redirect_uri": BACK,
    "state": "st",
    "nonce": "no",
    "scope": "openid email",
    "response_type": "code",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
async def sandbox():
    app = create_app(SandboxSettings(sign_in_client_secret=SecretStr("s")))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


async def back(sandbox, **changes) -> dict[str, str]:
    answer = await sandbox.get("/oidc/authorize", params=ASKED | changes)
    assert answer.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def swap(sandbox, code: str, **changes) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return await sandbox.post("/oidc/token", data=form | changes, auth=BASIC)


async def claims(sandbox, **changes) -> dict:
    tokens = (await swap(sandbox, (await back(sandbox, **changes))["code"])).json()
    keys = KeySet.import_key_set((await sandbox.get("/oidc/jwks")).json())
    return jwt.decode(tokens["id_token"], keys, algorithms=["ES256", "RS256"]).claims


async def test_a_code_gives_an_id_token_once_and_with_its_verifier(sandbox):
    found = (await sandbox.get("/oidc/.well-known/openid-configuration")).json()
    told = await back(sandbox, login_hint="ada@example.com")
    assert (told["state"], told["iss"]) == ("st", found["issuer"])
    assert (await swap(sandbox, told["code"], code_verifier="x" * 43)).status_code == 400
    told = await back(sandbox, login_hint="ada@example.com")
    tokens = (await swap(sandbox, told["code"])).json()
    assert (await swap(sandbox, told["code"])).json() == {"error": "invalid_grant"}
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    about = (await sandbox.get("/oidc/userinfo", headers=headers)).json()
    assert (about["email"], about["email_verified"], about["name"]) == ("ada@example.com", True, "Ada")
    assert (await sandbox.get("/oidc/userinfo")).status_code == 401
    given = await claims(sandbox, login_hint="ada@example.com")
    assert (given["sub"], given["nonce"], given["aud"]) == (about["sub"], "no", "grove-auth")


async def test_wrong_requests_are_refused(sandbox):
    for changes in ({"client_id": "other"}, {"scope": "email"}):
        assert (await sandbox.get("/oidc/authorize", params=ASKED | changes)).status_code == 400
    assert (await back(sandbox, code_challenge_method="plain"))["error"] == "invalid_request"
    form = {"grant_type": "x", "code": "x", "redirect_uri": BACK}
    assert (await sandbox.post("/oidc/token", data=form)).status_code == 401
    assert (await sandbox.post("/oidc/token", data=form, auth=BASIC)).json()["error"] == "unsupported_grant_type"


async def test_an_answer_as_a_form(sandbox):
    page = await sandbox.get("/oidc/authorize", params=ASKED | {"response_mode": "form_post", "state": '"><script>'})
    assert f'action="{BACK}"' in page.text
    assert "<script>" not in page.text


async def test_it_misbehaves_on_demand(sandbox):
    async def behave(*wrong: str, **conduct) -> None:
        assert (await sandbox.put("/control/issuer", json={"wrong": wrong, **conduct})).status_code == 204

    plain = await claims(sandbox)
    for word, claim in (("nonce", "nonce"), ("audience", "aud"), ("issuer", "iss"), ("expired", "exp")):
        await behave(word)
        given = await claims(sandbox)
        assert given[claim] != plain[claim]
    await behave("alg_none")
    tokens = (await swap(sandbox, (await back(sandbox))["code"])).json()
    header, _, signature = tokens["id_token"].split(".")
    assert (json.loads(base64.urlsafe_b64decode(header + "==")), signature) == ({"alg": "none"}, "")
    await behave("code_replay")
    code = (await back(sandbox))["code"]
    assert [(await swap(sandbox, code)).status_code for _ in range(2)] == [200, 200]
    await behave(deny=True)
    assert (await back(sandbox))["error"] == "access_denied"
    await behave(person="grace")
    assert (await claims(sandbox))["email"] == "grace@sandbox.example"
    person = {"subject": "s", "email": "g@example.com", "email_verified": False}
    await sandbox.put("/control/issuer/people/grace", json=person)
    assert (await claims(sandbox))["email_verified"] is False
    old = (await sandbox.get("/oidc/jwks")).json()["keys"][0]["kid"]
    await sandbox.post("/control/issuer/keys", params={"algorithm": "RS256"})
    [key] = (await sandbox.get("/oidc/jwks")).json()["keys"]
    assert (key["kid"] != old, key["kty"]) == (True, "RSA")
    assert (await claims(sandbox))["email"] == "g@example.com"
