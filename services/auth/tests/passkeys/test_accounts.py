"""Passkeys of an account: adding, removing, proving again with them, and what is left of them."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.testing.authenticator import PRESENT, VERIFIED, Authenticator, text
from grove.testing.passkeys import add, again, answered, options, post, refused, sign_in

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSKEYS = "/api/v1/auth/passkeys"


async def test_a_removed_passkey_signs_nobody_in(ada, bob, device, resources, passkeys_audited):
    [listed] = (await ada.client.get(PASSKEYS, headers=ada.headers)).json()["items"]
    url = f"{PASSKEYS}/{listed['id']}"
    assert (await bob.client.get(PASSKEYS, headers=bob.headers)).json() == {"items": []}
    assert (await bob.client.delete(url, headers=bob.headers)).status_code == 404
    assert (await sign_in(ada, device)).status_code == 200
    assert (await ada.client.delete(url, headers=ada.headers)).status_code == 204
    assert (await ada.client.delete(url, headers=ada.headers)).status_code == 404
    assert refused(await sign_in(ada, device))
    assert refused(await again(ada, device))
    assert ("passkey.removed", "success") in await passkeys_audited()


async def test_a_credential_has_one_owner(ada, bob, device):
    for person in (ada, bob):
        answer = await add(person, Authenticator(credential_id=device.credential_id))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    same = Authenticator()
    answers = await asyncio.gather(add(ada, same), add(bob, same))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_an_account_has_twenty_passkeys_at_most(ada, resources):
    asked = [await options(ada, "/passkeys/options") for _ in range(30)]
    bodies = [
        {"challenge_id": each["challenge_id"], "credential": Authenticator().create(each["public_key"])}
        for each in asked
    ]
    for body in bodies[:18]:
        assert (await post(ada, "/passkeys", body)).status_code == 201
    answers = await asyncio.gather(*(post(ada, "/passkeys", body) for body in bodies[18:]))
    assert {answer.status_code for answer in answers} == {201, 409}
    assert await resources.database["passkeys"].count_documents({}) == 20
    assert (await post(ada, "/passkeys/options")).status_code == 409


async def make_session_old(person, resources) -> None:
    late = now() - timedelta(minutes=6)
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": late}})
    person.tokens = (await person.refresh()).json()


async def test_adding_and_removing_ask_for_a_fresh_proof_and_a_passkey_is_one(ada, device, resources):
    await make_session_old(ada, resources)
    [listed] = (await ada.client.get(PASSKEYS, headers=ada.headers)).json()["items"]
    for method, path in (("POST", "/options"), ("DELETE", f"/{listed['id']}")):
        answer = await ada.client.request(method, PASSKEYS + path, headers=ada.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    asked = await options(ada, "/passkeys/reauthenticate/options")
    assert [allowed["id"] for allowed in asked["public_key"]["allowCredentials"]] == [text(device.credential_id)]
    assert asked["public_key"]["userVerification"] == "required"
    answer = await again(ada, device)
    assert answer.status_code == 200
    ada.tokens["access_token"] = answer.json()["access_token"]
    assert (await ada.client.delete(f"{PASSKEYS}/{listed['id']}", headers=ada.headers)).status_code == 204


async def test_proving_again_needs_your_own_passkey_and_your_pin(ada, bob, device):
    theirs = Authenticator()
    assert (await add(bob, theirs)).status_code == 201
    assert refused(await again(ada, theirs))
    device.flags = PRESENT
    assert refused(await again(ada, device))
    device.flags = VERIFIED
    assert refused(await again(ada, device)), "nobody touched it"
    for body in ({}, {"password": "x", "passkey": {"challenge_id": "x", "credential": {}}}):
        assert (await post(ada, "/reauthenticate", body)).status_code == 422


async def test_a_deleted_account_leaves_no_passkey(ada, device, resources):
    body = await answered(ada, device)
    await options(ada, "/passkeys/options")
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
    assert await resources.database["passkeys"].count_documents({}) == 0
    assert await resources.database["passkey_challenges"].count_documents({"user_id": {"$ne": None}}) == 0
    assert refused(await post(ada, "/passkeys/login", body, signed_in=False))


async def test_a_passkey_that_is_added_while_its_account_goes_does_not_stay(ada, resources):
    for _ in range(3):
        asked = await options(ada, "/passkeys/options")
        body = {"challenge_id": asked["challenge_id"], "credential": Authenticator().create(asked["public_key"])}
        delete = ada.client.delete(f"{AUTH}/me", headers=ada.headers)
        added, deleted = await asyncio.gather(post(ada, "/passkeys", body), delete)
        assert deleted.status_code == 204
        assert added.status_code in {201, 401}
        assert await resources.database["passkeys"].count_documents({}) == 0
        assert (await ada.register()).status_code == 202
        assert (await ada.verify()).status_code == 204
        assert (await ada.login()).status_code == 200
