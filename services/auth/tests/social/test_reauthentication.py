"""Who has no password proves at the provider that it is them."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.testing.social import AUTH, BACK, OAUTH, bearer, exchange, query, return_to, sign_in, walk

pytestmark = pytest.mark.integration


async def prove_again(client, issuer, tokens: dict, login: str) -> dict[str, str]:
    """Prove at the issuer who it is, for the session of `tokens`; what the app is told."""
    asked = await client.post(f"{OAUTH}/reauthenticate", json={"redirect_uri": BACK}, headers=bearer(tokens))
    assert asked.status_code == 200, asked.text
    url = asked.json()["authorization_url"]
    assert (query(url)["prompt"], query(url)["max_age"]) == ("login", "0")
    return query((await return_to(client, await issuer.visit(url, login))).headers["location"])


async def test_who_has_no_password_proves_at_the_issuer_that_it_is_them(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    other = await sign_in(client, issuer, login)
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    old = (await client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    assert (await client.delete(f"{AUTH}/me", headers=bearer(old))).status_code == 401
    code = (await prove_again(client, issuer, old, login))["code"]
    assert (await exchange(client, code)).status_code == 410, "it is a proof, not a sign-in"
    proof = {"provider_code": code}
    elsewhere = await client.post(f"{AUTH}/reauthenticate", json=proof, headers=bearer(other))
    assert elsewhere.status_code == 401, "it proves to the session that asked"
    answers = await asyncio.gather(
        *(client.post(f"{AUTH}/reauthenticate", json=proof, headers=bearer(old)) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4
    fresh = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await client.delete(f"{AUTH}/me", headers=bearer(fresh))).status_code == 204


async def test_what_does_not_prove_that_it_is_you(client, issuer, login, resources, reasons):
    tokens = await sign_in(client, issuer, login)
    await issuer.behave("stale")
    assert (await prove_again(client, issuer, tokens, login))["error"] == "provider_error"
    await issuer.behave()
    assert (await prove_again(client, issuer, tokens, f"another-{login}"))["error"] == "identity_not_linked"
    assert await reasons() == ["auth_time", "identity_not_linked"]
    signed_in = (await walk(client, issuer, login))["code"]
    for body, status in (
        ({"provider_code": signed_in}, 401),
        ({"provider_code": "x"}, 401),
        ({}, 422),
        ({"password": "p", "provider_code": "x"}, 422),
    ):
        answer = await client.post(f"{AUTH}/reauthenticate", json=body, headers=bearer(tokens))
        assert answer.status_code == status, body
    assert await resources.database["users"].count_documents({}) == 1
