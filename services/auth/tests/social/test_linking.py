"""Linking a provider to an account, and taking ways in away until one is left."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.social import (
    AUTH,
    BACK,
    OAUTH,
    bearer,
    begin,
    exchange,
    link,
    linked,
    query,
    return_to,
    sign_in,
    walk,
)

pytestmark = pytest.mark.integration


async def test_a_linked_provider_opens_the_account(ada, issuer, login, audited):
    assert await link(ada, issuer, login) == {"linked": "sandbox"}
    assert await link(ada, issuer, login) == {"linked": "sandbox"}, "again changes nothing"
    tokens = await sign_in(ada.client, issuer, login)
    me = (await ada.client.get(f"{AUTH}/me", headers=bearer(tokens))).json()
    assert me["email"] == ada.email
    assert await linked(ada.client, tokens) == [login]
    [entry] = await audited("identity.linked")
    assert entry["subject_id"] == me["id"]
    assert (await link(ada, issuer, f"another-{login}"))["error"] == "already_linked"


async def test_linking_needs_a_recent_sign_in(ada, issuer, resources):
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    assert (await ada.refresh()).status_code == 200
    tokens = (await ada.refresh()).json()
    for method, path in (("POST", f"{OAUTH}/link"), ("DELETE", f"{AUTH}/identities/sandbox")):
        body = {"json": {"redirect_uri": BACK}} if method == "POST" else {}
        refused = await ada.client.request(method, path, headers=bearer(tokens), **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    assert (await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK})).status_code == 401


async def test_linking_is_finished_by_the_same_browser(ada, other_browser, issuer, login, resources):
    """Nobody can have a victim link the attacker's identity, or the other way round."""
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    url = await issuer.visit(answer.json()["authorization_url"], login)
    await begin(other_browser)
    assert (await return_to(other_browser, url)).status_code == 403
    assert await resources.database["identities"].count_documents({}) == 0


@pytest.mark.parametrize("how", ["logout", "sessions/all"])
async def test_linking_ends_with_the_session_that_began_it(ada, issuer, login, resources, how):
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    url = await issuer.visit(answer.json()["authorization_url"], login)
    ended = await ada.client.request("POST" if how == "logout" else "DELETE", f"{AUTH}/{how}", headers=ada.headers)
    assert ended.status_code == 204
    told = query((await return_to(ada.client, url)).headers["location"])
    assert told["error"] == "session_ended"
    assert await resources.database["identities"].count_documents({}) == 0


async def test_an_identity_opens_one_account_only(ada, client, issuer, login):
    await sign_in(client, issuer, login)
    assert (await link(ada, issuer, login))["error"] == "identity_taken"
    await issuer.person("unverified", email="u@example.com", email_verified=False)
    assert (await link(ada, issuer, "unverified"))["error"] == "email_not_verified"


async def test_ways_in_that_come_and_go_are_mailed(ada, issuer, login, outside):
    await link(ada, issuer, login)
    await link(ada, issuer, login)
    assert (await ada.client.delete(f"{AUTH}/identities/sandbox", headers=ada.headers)).status_code == 204
    told = [mail["variables"] for mail in await outside.mails() if mail["template"] == "identity_changed"]
    assert [(mail["change"], mail["provider"]) for mail in told] == [("linked", "sandbox"), ("unlinked", "sandbox")]


async def test_the_last_way_in_stays(client, issuer, login, outside, audited):
    tokens = await sign_in(client, issuer, login)
    refused = await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert await linked(client, tokens) == [login]
    await client.post(f"{AUTH}/request-password-reset", json={"email": login})
    token = (await outside.mails())[-1]["variables"]["token"]
    password = {"token": token, "new_password": "water them every evening"}
    assert (await client.post(f"{AUTH}/reset-password", json=password)).status_code == 204
    tokens = await sign_in(client, issuer, login)
    waiting = (await walk(client, issuer, login))["code"]
    assert (await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))).status_code == 204
    assert (await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))).status_code == 204
    assert await linked(client, tokens) == []
    assert (await exchange(client, waiting)).status_code == 410, "a code that the identity opened is dead too"
    assert len(await audited("identity.unlinked")) == 1
    assert (await walk(client, issuer, login))["error"] == "account_exists"


async def test_two_ways_taken_away_at_once_leave_one(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    [identity] = await resources.database["identities"].find({}).to_list()
    for _ in range(5):
        await resources.database["identities"].delete_many({})
        for provider in ("sandbox", "other"):
            copy = {**identity, "_id": new_id(), "provider": provider, "subject": provider}
            await resources.database["identities"].insert_one(copy)
        answers = await asyncio.gather(
            *(client.delete(f"{AUTH}/identities/{name}", headers=bearer(tokens)) for name in ("sandbox", "other"))
        )
        assert sorted(answer.status_code for answer in answers) == [204, 400]
        assert await resources.database["identities"].count_documents({}) == 1
