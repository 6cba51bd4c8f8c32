"""Passkeys: the whole way, and every way in which an answer can be wrong."""

import asyncio
from datetime import timedelta

import cbor2
import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.authenticator import CAN_BE_COPIED, COPIED, PRESENT, VERIFIED, Authenticator, octets, text
from grove_auth.passkeys.repository import ChallengeRepository
from grove_auth.sign_ins.service import SignInService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSKEYS = f"{AUTH}/passkeys"


async def post(person, path: str, body=None, *, signed_in: bool = True):
    return await person.client.post(f"{AUTH}{path}", json=body, headers=person.headers if signed_in else None)


async def options(person, path: str, *, signed_in: bool = True) -> dict:
    answer = await post(person, path, signed_in=signed_in)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def add(person, device: Authenticator, **changes):
    asked = await options(person, "/passkeys/options")
    body = {"challenge_id": asked["challenge_id"], "credential": device.create(asked["public_key"])} | changes
    return await post(person, "/passkeys", body)


async def answered(person, device: Authenticator, **wrong) -> dict:
    """The body of a sign-in."""
    asked = await options(person, "/passkeys/login/options", signed_in=False)
    return {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"], **wrong)}


async def sign_in(person, device: Authenticator, **changes):
    return await post(person, "/passkeys/login", await answered(person, device) | changes, signed_in=False)


async def again(person, device: Authenticator, **wrong):
    """Reauthenticate."""
    asked = await options(person, "/passkeys/reauthenticate/options")
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"], **wrong)}
    return await post(person, "/reauthenticate", {"passkey": proof})


async def audited(resources) -> list[tuple[str, str]]:
    found = await resources.audit_database["audit_events"].find({}).sort("_id", 1).to_list()
    return [(event["action"], event["entry"]["outcome"]) for event in found if event["action"].startswith("passkey")]


def refused(answer) -> bool:
    return (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")


@pytest.fixture
async def device(ada) -> Authenticator:
    """Ada's, registered."""
    device = Authenticator()
    answer = await add(ada, device)
    assert answer.status_code == 201, answer.text
    return device


@pytest.fixture
async def bob(client, outside, stranger):
    assert (await stranger.register()).status_code == 202
    assert (await stranger.verify()).status_code == 204
    assert (await stranger.login()).status_code == 200
    return stranger


async def test_a_passkey_is_added_listed_and_signs_in(ada, resources):
    device = Authenticator()
    asked = await options(ada, "/passkeys/options")
    public = asked["public_key"]
    assert asked["expires_in"] == 300
    assert (public["rp"], public["attestation"]) == ({"id": "localhost", "name": "Grove"}, "none")
    assert public["authenticatorSelection"]["residentKey"] == "required"
    assert len(octets(public["challenge"])) == 32
    assert ada.email.encode() not in octets(public["user"]["id"])
    credential = device.create(public)
    credential["response"]["transports"] = ["internal", "telepathy"]
    body = {"challenge_id": asked["challenge_id"], "credential": credential, "name": "My phone"}
    added = await post(ada, "/passkeys", body)
    assert added.status_code == 201
    assert added.json() | {"id": "", "created_at": ""} == {
        "id": "",
        "name": "My phone",
        "synced": False,
        "created_at": "",
        "last_used_at": None,
    }
    next_options = (await options(ada, "/passkeys/options"))["public_key"]
    excluded = {"id": credential["id"], "type": "public-key", "transports": ["internal"]}
    assert next_options["excludeCredentials"] == [excluded]
    answer = await sign_in(ada, device, remember_me=True, device_name="Desk")
    assert answer.status_code == 200
    ada.tokens = answer.json()
    me = (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).json()
    assert me["email"] == ada.email
    assert (await ada.refresh()).status_code == 200
    session = await resources.database["sessions"].find_one({"_id": ada.tokens["session_id"]})
    assert (session["amr"], session["device_name"]) == (["hwk", "user", "mfa"], "Desk")
    assert session["ends_at"] - session["created_at"] == timedelta(days=30)
    [listed] = (await ada.client.get(PASSKEYS, headers=ada.headers)).json()["items"]
    assert listed["last_used_at"] is not None
    assert await audited(resources) == [("passkey.added", "success")]


async def test_sign_in_keeps_cookie_mode(ada, device):
    answer = await sign_in(ada, device, cookie=True)
    assert answer.json()["refresh_token"] is None
    assert answer.json()["csrf_token"]
    assert "HttpOnly" in answer.headers.get_list("set-cookie")[0]


@pytest.mark.parametrize(
    ("flags", "amr"),
    [
        (PRESENT, ["hwk", "user"]),
        (PRESENT | CAN_BE_COPIED | COPIED, ["swk", "user"]),
        (PRESENT | VERIFIED | CAN_BE_COPIED, ["swk", "user", "mfa"]),
    ],
)
async def test_what_counts_as_two_factors(ada, resources, flags, amr):
    device = Authenticator(flags=flags)
    assert (await add(ada, device)).status_code == 201
    session_id = (await sign_in(ada, device)).json()["session_id"]
    assert (await resources.database["sessions"].find_one({"_id": session_id}))["amr"] == amr


async def test_verification_can_be_demanded(ada, resources, settings, monkeypatch):
    strict = settings.model_copy(update={"passkey_user_verification": "required"})
    device = Authenticator(flags=PRESENT)
    assert (await add(ada, device)).status_code == 201
    monkeypatch.setattr(resources, "settings", strict)
    asked = await options(ada, "/passkeys/login/options", signed_in=False)
    assert asked["public_key"]["userVerification"] == "required"
    assert refused(await sign_in(ada, device))
    assert (await add(ada, Authenticator(flags=PRESENT))).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8443"},
        {"origin": ["https://localhost:8443"]},
        {"crossOrigin": True},
        {"type": "webauthn.create"},
        {"challenge": text(bytes(32))},
        {"challenge": None},
        {"rp_id": "evil.example"},
    ],
)
async def test_an_answer_for_another_site_or_another_question_is_refused(ada, device, resources, wrong):
    body = await answered(ada, device, **wrong)
    assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    assert refused(await again(ada, device, **wrong))
    wrong = wrong | ({"type": "webauthn.get"} if "type" in wrong else {})
    asked = await options(ada, "/passkeys/options")
    credential = Authenticator().create(asked["public_key"], **wrong)
    answer = await post(ada, "/passkeys", {"challenge_id": asked["challenge_id"], "credential": credential})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    refusals = [("passkey.refused", "failure")] * 2 + [("passkey.added", "failure")]
    assert await audited(resources) == [("passkey.added", "success"), *refusals]
    assert (await sign_in(ada, device)).status_code == 200


async def test_an_answer_works_once_and_not_with_another_challenge(ada, device):
    body = await answered(ada, device)
    assert (await post(ada, "/passkeys/login", body, signed_in=False)).status_code == 200
    assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    fresh = await answered(ada, device)
    assert refused(await post(ada, "/passkeys/login", body | {"challenge_id": fresh["challenge_id"]}, signed_in=False))
    assert refused(await post(ada, "/passkeys/login", fresh, signed_in=False)), "a wrong answer used it up"


async def test_a_challenge_answered_many_times_at_once_signs_in_once(ada, resources, monkeypatch):
    device = Authenticator(counting=False)
    assert (await add(ada, device)).status_code == 201
    before = await resources.database["sessions"].count_documents({})
    body = await answered(ada, device)
    get, all_have_read = ChallengeRepository.get, asyncio.Barrier(20)

    async def together(self, key):
        found = await get(self, key)
        await all_have_read.wait()
        return found

    monkeypatch.setattr(ChallengeRepository, "get", together)
    calls = (post(ada, "/passkeys/login", body, signed_in=False) for _ in range(20))
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert await resources.database["sessions"].count_documents({}) == before + 1


async def test_a_challenge_is_for_its_purpose_its_user_and_five_minutes(ada, bob, device, resources):
    for path in ("/passkeys/reauthenticate/options", "/passkeys/options"):
        asked = await options(ada, path)
        request = {"challenge": asked["public_key"]["challenge"], "rpId": "localhost"}
        body = {"challenge_id": asked["challenge_id"], "credential": device.get(request)}
        assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    asked = await options(ada, "/passkeys/login/options", signed_in=False)
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"])}
    assert refused(await post(ada, "/reauthenticate", {"passkey": proof}))
    asked = await options(ada, "/passkeys/options")
    body = {"challenge_id": asked["challenge_id"], "credential": Authenticator().create(asked["public_key"])}
    assert (await post(bob, "/passkeys", body)).json()["error"]["code"] == "GONE"
    assert (await post(ada, "/passkeys", body)).status_code == 201
    assert (await post(ada, "/passkeys", body)).status_code == 410
    late = await answered(ada, device)
    await resources.database["passkey_challenges"].update_many({}, {"$set": {"expires_at": now()}})
    assert refused(await post(ada, "/passkeys/login", late, signed_in=False))


async def test_a_counter_that_goes_back_is_a_copy_and_refused(ada, device, resources, outside):
    assert (await sign_in(ada, device)).status_code == 200
    used = device.counter
    for counter in (used - 1, used - 2, -1):  # the same, an older one, and none at all
        device.counter = counter
        assert refused(await sign_in(ada, device))
    assert (await audited(resources))[-3:] == [("passkey.cloned", "failure")] * 3
    told = [mail for mail in await outside.mails() if mail["template"] == "passkey_copied"]
    assert len(told) == 1, "once an hour"
    device.counter = used - 1
    assert refused(await again(ada, device))
    device.counter = used
    assert (await sign_in(ada, device)).status_code == 200


async def test_of_two_copies_with_the_same_counter_one_gets_in(ada, device):
    bodies = []
    for _ in range(10):
        device.counter = 50
        bodies.append(await answered(ada, device))
    answers = await asyncio.gather(*(post(ada, "/passkeys/login", body, signed_in=False) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_passkeys_without_a_counter_work(ada):
    device = Authenticator(counting=False)
    assert (await add(ada, device)).status_code == 201
    for _ in range(2):
        assert (await sign_in(ada, device)).status_code == 200


async def test_somebody_elses_key_signs_nobody_in(ada, device, bob):
    forger = Authenticator(credential_id=device.credential_id, user_handle=device.user_handle)
    assert refused(await sign_in(ada, forger))
    assert refused(await sign_in(ada, Authenticator(user_handle=device.user_handle))), "an unknown one"
    device.user_handle = new_id().bytes
    assert refused(await sign_in(ada, device)), "a passkey that says it is another user's"


async def test_a_removed_passkey_signs_nobody_in(ada, bob, device, resources):
    [listed] = (await ada.client.get(PASSKEYS, headers=ada.headers)).json()["items"]
    url = f"{PASSKEYS}/{listed['id']}"
    assert (await bob.client.get(PASSKEYS, headers=bob.headers)).json() == {"items": []}
    assert (await bob.client.delete(url, headers=bob.headers)).status_code == 404
    assert (await sign_in(ada, device)).status_code == 200
    assert (await ada.client.delete(url, headers=ada.headers)).status_code == 204
    assert (await ada.client.delete(url, headers=ada.headers)).status_code == 404
    assert refused(await sign_in(ada, device))
    assert refused(await again(ada, device))
    assert ("passkey.removed", "success") in await audited(resources)


async def test_a_credential_has_one_owner(ada, bob, device):
    for person in (ada, bob):
        answer = await add(person, Authenticator(credential_id=device.credential_id))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    same = Authenticator()
    answers = await asyncio.gather(add(ada, same), add(bob, same))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_who_is_blocked_is_refused(ada, device, resources):
    until = now() + timedelta(hours=1)
    await resources.database["users"].update_many({}, {"$set": {"blocked_until": until}})
    answer = await sign_in(ada, device)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ACCOUNT_BLOCKED")


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


async def test_nobody_is_told_who_has_an_account(ada, device, stranger):
    asked = [await options(person, "/passkeys/login/options", signed_in=False) for person in (ada, stranger)]
    for answer in asked:
        public = answer["public_key"]
        assert set(public) == {"challenge", "timeout", "rpId", "allowCredentials", "userVerification"}
        assert public["allowCredentials"] == []
    unknown, known = await sign_in(ada, Authenticator(user_handle=b"x" * 16)), await answered(ada, device, rp_id="x")
    wrong = await post(ada, "/passkeys/login", known, signed_in=False)
    assert unknown.json()["error"] == wrong.json()["error"]


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


async def test_a_password_reset_meanwhile_ends_a_sign_in_that_was_under_way(ada, device, resources, monkeypatch):
    proceed = SignInService.proceed

    async def late(self, user, data, amr, device=None):
        await resources.database["users"].update_many({}, {"$inc": {"token_version": 1}})
        return await proceed(self, user, data, amr, device)

    monkeypatch.setattr(SignInService, "proceed", late)
    assert refused(await sign_in(ada, device))


@pytest.mark.parametrize("field", ["id", "rawId", "type", "response"])
async def test_what_is_no_credential_is_a_422(ada, device, field):
    body = await answered(ada, device)
    for value in (None, "a b", 5, {}, "A" * 40_000):
        changed = body | {"credential": body["credential"] | {field: value}}
        assert (await post(ada, "/passkeys/login", changed, signed_in=False)).status_code == 422


def bomb(levels: int) -> bytes:
    """CBOR that shares each level twice with the next: written out again it doubles with each."""
    first, *others = [b"\xd8\x1c\x82\x00\x00"], *range(levels)
    items = first + [b"\xd8\x1c\x82" + (b"\xd8\x1d" + cbor2.dumps(level)) * 2 for level in others]
    return bytes([0x98, len(items)]) + b"".join(items)


async def test_a_bomb_of_shared_references_does_not_go_off(ada, device):
    extensions = 0x80
    body = await answered(ada, device)
    data = octets(body["credential"]["response"]["authenticatorData"])
    data = data[:32] + bytes([data[32] | extensions]) + data[33:] + bomb(60)
    body["credential"]["response"]["authenticatorData"] = text(data)
    async with asyncio.timeout(5):
        assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
        asked = await options(ada, "/passkeys/options")
        credential = Authenticator().create(asked["public_key"])
        attestation = cbor2.loads(octets(credential["response"]["attestationObject"]))
        attestation["authData"] = attestation["authData"][:-77] + bomb(60)
        credential["response"]["attestationObject"] = text(cbor2.dumps(attestation))
        answer = await post(ada, "/passkeys", {"challenge_id": asked["challenge_id"], "credential": credential})
    assert answer.status_code == 422
