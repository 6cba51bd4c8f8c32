"""Turning second factors on and off: who may, what ends with it, whose role needs one, and the races."""

import asyncio
import base64
import json
from datetime import timedelta

import pyotp
import pytest

from grove.core.clock import now
from grove.testing.http import client_of
from grove_auth.main import build

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"


def scopes(person) -> set[str]:
    part = person.tokens["access_token"].split(".")[1]
    return set(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["scope"].split())


async def call(person, method: str, path: str, json: dict | None = None):
    return await person.client.request(method, f"{AUTH}{path}", json=json, headers=person.headers)


async def disabled(outside) -> list[tuple[str, str]]:
    found = [event.data for event in await outside.events() if event.type == "auth.mfa.disabled.v1"]
    return [(fact["method"], fact["reason"]) for fact in found]


async def test_setting_up_an_app_gives_what_it_needs_and_counts_once_confirmed(ada):
    begun = (await call(ada, "POST", "/mfa/totp")).json()
    parsed = pyotp.parse_uri(begun["otpauth_uri"])
    assert (parsed.secret, parsed.issuer, parsed.name) == (begun["secret"], "Grove", ada.email)
    assert len(begun["secret"]) == 32
    assert begun["qr_svg"].startswith("<svg ")
    assert (await ada.login()).status_code == 200, "not confirmed yet"
    answers = [await call(ada, "POST", "/mfa/totp/confirm", {"code": parsed.now()}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401], (
        "from now on this session must prove the second factor too"
    )
    assert len(answers[0].json()["backup_codes"]) == 10
    assert (await call(ada, "GET", "/me")).json()["mfa_enabled"] is True


async def test_a_setup_that_waited_too_long_is_void(ada, resources):
    assert (await call(ada, "POST", "/mfa/totp/confirm", {"code": "123456"})).status_code == 400
    secret = (await call(ada, "POST", "/mfa/totp")).json()["secret"]
    past = {"$set": {"pending_until": now() - timedelta(seconds=1)}}
    await resources.database["second_factors"].update_many({}, past)
    answer = await call(ada, "POST", "/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_STATE")


async def test_a_session_without_the_second_factor_changes_none(guarded):
    """It began before the second factor did, or a trusted device stood in for it."""

    async def stale(path: str, method: str = "POST", body: dict | None = None) -> tuple[int, str]:
        answer = await guarded.call(method, path, body)
        return answer.status_code, answer.json()["error"]["code"]

    await guarded.resources.database["sessions"].update_many({}, {"$set": {"amr": ["pwd"]}})
    for path in ("/mfa/totp", "/mfa/backup-codes", "/mfa/email"):
        assert await stale(path) == (401, "REAUTH_REQUIRED")
    assert await stale("/mfa/sms", body={"phone": "+4930123456"}) == (401, "REAUTH_REQUIRED")
    assert await stale("/mfa/totp", "DELETE") == (401, "REAUTH_REQUIRED")
    proof = {"password": PASSWORD, "code": await guarded.code()}
    renewed = await guarded.call("POST", "/reauthenticate", proof)
    assert renewed.status_code == 200
    guarded.person.tokens |= renewed.json()
    assert (await guarded.call("POST", "/mfa/backup-codes")).status_code == 200


async def test_an_old_sign_in_changes_none(guarded, resources):
    past = {"$set": {"auth_time": now() - timedelta(minutes=6)}}
    await resources.database["sessions"].update_many({}, past)
    assert (await guarded.person.refresh()).status_code == 200
    guarded.person.tokens = (await guarded.person.refresh()).json()
    for method, path in (("POST", "/mfa/totp"), ("POST", "/mfa/email"), ("DELETE", "/mfa/totp")):
        answer = await guarded.call(method, path)
        assert answer.json()["error"]["code"] == "REAUTH_REQUIRED"


async def test_proving_again_needs_both_factors(guarded):
    async def prove(**proof) -> tuple[int, str | None]:
        answer = await guarded.call("POST", "/reauthenticate", proof)
        return answer.status_code, answer.json().get("error", {}).get("code")

    assert await prove(password=PASSWORD) == (401, "MFA_REQUIRED")
    assert await prove(code=await guarded.code()) == (401, "INVALID_CREDENTIALS")
    assert await prove(password="wrong wrong wrong", code=await guarded.code()) == (401, "INVALID_CREDENTIALS")
    assert await prove(password=PASSWORD, code="000000") == (401, "INVALID_CREDENTIALS")
    assert await prove(password=PASSWORD, code="123456", backup_code="x") == (422, "VALIDATION_ERROR")
    assert await prove() == (422, "VALIDATION_ERROR")
    assert await prove(password=PASSWORD, code=await guarded.code()) == (200, None)
    assert await prove(password=PASSWORD, backup_code=guarded.backup_codes[0]) == (200, None)
    assert await prove(password=PASSWORD, backup_code=guarded.backup_codes[0]) == (401, "INVALID_CREDENTIALS")


async def test_without_a_password_a_mailed_code_proves_it(ada, resources, outside):
    await resources.database["users"].update_many({}, {"$set": {"password_hash": None}})
    assert (await call(ada, "POST", "/reauthenticate/challenge", {"method": "sms"})).status_code == 400
    assert (await call(ada, "POST", "/reauthenticate/challenge", {"method": "email"})).status_code == 202
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"]) == ("mfa_code", ada.email)
    code = mail["variables"]["code"]
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert (await call(ada, "POST", "/reauthenticate", {"code": wrong})).status_code == 401
    assert (await call(ada, "POST", "/reauthenticate", {"code": code})).status_code == 200
    assert (await call(ada, "POST", "/reauthenticate", {"code": code})).status_code == 401


async def test_who_has_a_password_gets_no_code_instead(ada):
    assert (await call(ada, "POST", "/reauthenticate/challenge", {"method": "email"})).status_code == 400


async def test_turning_off_keeps_sessions_and_tells(guarded, outside, resources):
    token = await guarded.challenge()
    assert (await guarded.call("DELETE", "/mfa/totp")).status_code == 204
    assert (await guarded.call("DELETE", "/mfa/totp")).status_code == 204
    assert await disabled(outside) == [("all", "removed")]
    assert (await guarded.call("GET", "/me")).json()["mfa_enabled"] is False
    assert (await guarded.person.login()).status_code == 200
    answer = await guarded.verify(token, backup_code=guarded.backup_codes[0])
    assert answer.json()["error"]["code"] == "INVALID_TOKEN"
    assert await resources.database["second_factors"].count_documents({}) == 0
    assert (await guarded.call("POST", "/mfa/backup-codes")).status_code == 400


async def test_one_of_two_can_go_and_the_backup_codes_stay(guarded, outside):
    enabled = await guarded.call("POST", "/mfa/email")
    assert (enabled.status_code, enabled.json()["backup_codes"]) == (200, [])
    assert (await guarded.call("DELETE", "/mfa/totp")).status_code == 204
    assert await disabled(outside) == [("totp", "removed")]
    answer = await guarded.person.login()
    assert answer.json()["error"]["details"][0]["methods"] == ["email", "backup_code"]
    token = answer.json()["error"]["details"][0]["mfa_token"]
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 401
    assert (await guarded.verify(token, backup_code=guarded.backup_codes[0])).status_code == 200


async def test_a_new_app_takes_the_place_of_the_old_one_without_a_gap(guarded):
    secret = (await guarded.call("POST", "/mfa/totp")).json()["secret"]
    assert (await guarded.sign_in()).status_code == 200, "the old one counts until the new one is confirmed"
    answer = await guarded.call("POST", "/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    assert answer.status_code == 200
    token = await guarded.challenge()
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 401
    guarded.secret = secret
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 200


async def test_turning_off_against_verifying(guarded, resources):
    """Whichever is first: off is off, nothing half-done stays, and no device is trusted past it."""
    for _ in range(5):
        tokens = [await guarded.challenge() for _ in range(4)]
        codes = guarded.backup_codes[:3]
        proofs = [{"code": await guarded.code()}, *({"backup_code": code} for code in codes)]
        answers = await asyncio.gather(
            guarded.call("DELETE", "/mfa/totp"),
            *(guarded.verify(t, **p, trust_device=True) for t, p in zip(tokens, proofs, strict=True)),
        )
        assert answers[0].status_code in {204, 409}
        assert {answer.status_code for answer in answers[1:]} <= {200, 401, 429}
        assert (await guarded.call("DELETE", "/mfa/totp")).status_code == 204
        assert await resources.database["second_factors"].count_documents({}) == 0
        assert await resources.database["mfa_challenges"].count_documents({}) == 0
        assert (await guarded.call("GET", "/devices")).json()["items"] == []
        assert (await guarded.person.login()).status_code == 200
        secret = (await guarded.call("POST", "/mfa/totp")).json()["secret"]
        confirmed = await guarded.call("POST", "/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()})
        guarded.secret, guarded.backup_codes = secret, confirmed.json()["backup_codes"]
        assert (await guarded.sign_in()).status_code == 200


async def test_turning_both_off_at_once_leaves_the_account_true_to_itself(guarded, resources):
    await guarded.call("POST", "/mfa/email")
    answers = await asyncio.gather(guarded.call("DELETE", "/mfa/totp"), guarded.call("DELETE", "/mfa/email"))
    assert {answer.status_code for answer in answers} <= {204, 409}
    [user] = await resources.database["users"].find({}).to_list()
    stored = await resources.database["second_factors"].find({}).to_list()
    assert bool(user["second_factors"]) == bool(stored)


@pytest.fixture
async def ruled(settings, resources, guarded, monkeypatch):
    """Everybody's role needs a second factor now. Ada has one, and her client asks an app with that setting."""
    strict = settings.model_copy(update={"mfa_required_roles": ["user"]})
    monkeypatch.setattr(resources, "settings", strict)
    monkeypatch.setattr(resources.keys, "_settings", strict)
    async with client_of(build(strict, resources), base_url="https://auth.test") as client:
        guarded.person.client = client
        yield guarded


async def test_a_role_that_needs_a_second_factor_leaves_little_without(ruled, stranger):
    stranger.client = ruled.person.client
    await stranger.register()
    await stranger.verify()
    assert (await stranger.login()).status_code == 200
    assert scopes(stranger) == {"account:read"}
    me = (await call(stranger, "GET", "/me")).json()
    assert (me["mfa_required"], me["mfa_enabled"]) == (True, False)
    secret = (await call(stranger, "POST", "/mfa/totp")).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    assert (await call(stranger, "POST", "/mfa/totp/confirm", code)).status_code == 200
    assert scopes(stranger) == {"account:read"}
    stranger.tokens = (await stranger.refresh()).json()
    assert "tasks:write" in scopes(stranger)
    assert (await call(stranger, "GET", "/me")).json()["mfa_required"] is False


async def test_a_role_that_needs_a_second_factor_keeps_the_last_one(ruled, outside):
    assert "tasks:write" in scopes(ruled.person)
    answer = await ruled.call("DELETE", "/mfa/totp")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (await ruled.call("POST", "/mfa/email")).status_code == 200
    answers = await asyncio.gather(ruled.call("DELETE", "/mfa/totp"), ruled.call("DELETE", "/mfa/email"))
    assert sorted(answer.status_code for answer in answers) in ([204, 403], [204, 409])
    assert (await ruled.call("GET", "/me")).json()["mfa_enabled"] is True


async def test_an_administrator_takes_lost_factors_away(guarded, resources, outside, stranger):
    me = (await guarded.call("GET", "/me")).json()["id"]
    await stranger.register()
    await stranger.verify()

    async def take_away(*roles: str) -> int:
        await resources.database["users"].update_one({"email": stranger.email}, {"$set": {"roles": ["user", *roles]}})
        await stranger.login()
        return (await call(stranger, "DELETE", f"/admin/users/{me}/mfa")).status_code

    assert await take_away() == 403
    assert await take_away("moderator") == 403
    assert await take_away("admin") == 204
    assert await take_away("admin") == 204
    assert await disabled(outside) == [("all", "admin")]
    assert (await guarded.person.login()).status_code == 200
    own = (await call(stranger, "GET", "/me")).json()["id"]
    assert (await call(stranger, "DELETE", f"/admin/users/{own}/mfa")).status_code == 403
    assert (await call(stranger, "DELETE", f"/admin/users/{stranger.tokens['session_id']}/mfa")).status_code == 404
