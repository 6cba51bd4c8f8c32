"""Passkeys sign in: the whole way, and who is not let in."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.authenticator import CAN_BE_COPIED, COPIED, PRESENT, VERIFIED, Authenticator, octets
from grove.testing.passkeys import add, again, answered, options, post, refused, sign_in
from grove_auth.sign_ins.service import SignInService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSKEYS = "/api/v1/auth/passkeys"


async def test_a_passkey_is_added_listed_and_signs_in(ada, resources, passkeys_audited):
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
    assert await passkeys_audited() == [("passkey.added", "success")]


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


async def test_a_counter_that_goes_back_is_a_copy_and_refused(ada, device, resources, outside, passkeys_audited):
    assert (await sign_in(ada, device)).status_code == 200
    used = device.counter
    for counter in (used - 1, used - 2, -1):  # the same, an older one, and none at all
        device.counter = counter
        assert refused(await sign_in(ada, device))
    assert (await passkeys_audited())[-3:] == [("passkey.cloned", "failure")] * 3
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


async def test_who_is_blocked_is_refused(ada, device, resources):
    until = now() + timedelta(hours=1)
    await resources.database["users"].update_many({}, {"$set": {"blocked_until": until}})
    answer = await sign_in(ada, device)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ACCOUNT_BLOCKED")


async def test_nobody_is_told_who_has_an_account(ada, device, stranger):
    asked = [await options(person, "/passkeys/login/options", signed_in=False) for person in (ada, stranger)]
    for answer in asked:
        public = answer["public_key"]
        assert set(public) == {"challenge", "timeout", "rpId", "allowCredentials", "userVerification"}
        assert public["allowCredentials"] == []
    unknown, known = await sign_in(ada, Authenticator(user_handle=b"x" * 16)), await answered(ada, device, rp_id="x")
    wrong = await post(ada, "/passkeys/login", known, signed_in=False)
    assert unknown.json()["error"] == wrong.json()["error"]


async def test_a_password_reset_meanwhile_ends_a_sign_in_that_was_under_way(ada, device, resources, monkeypatch):
    proceed = SignInService.proceed

    async def late(self, user, data, amr, device=None):
        await resources.database["users"].update_many({}, {"$inc": {"token_version": 1}})
        return await proceed(self, user, data, amr, device)

    monkeypatch.setattr(SignInService, "proceed", late)
    assert refused(await sign_in(ada, device))
