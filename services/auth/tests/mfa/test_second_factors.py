"""Second factors at sign-in: each code works once, tries are counted before they are checked, nothing goes around."""

import asyncio
import base64
import json
from datetime import datetime, timedelta

import pyotp
import pytest

from grove.contracts.mails import MAILS
from grove.core.clock import now
from grove_auth.models.second_factors import NEVER

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
WRONG = {"code": "000000"}
OTHER = "water them every evening"


@pytest.fixture(autouse=True)
def never_right_by_chance(monkeypatch):
    """000000 is nobody's code."""
    generate = pyotp.TOTP.generate_otp
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", lambda self, step: generate(self, step).replace("000000", "111111"))


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def unlock(resources) -> None:
    await resources.database["second_factors"].update_many({}, {"$set": {"locked_until": NEVER}})


async def guess(guarded, times: int) -> list[int]:
    """Wrong codes, five for each sign-in."""
    tokens = [await guarded.challenge() for _ in range(times // 5)]
    return [(await guarded.verify(token, **WRONG)).status_code for token in tokens for _ in range(5)]


async def test_a_sign_in_needs_both_factors_and_says_which_it_was(guarded, outside):
    me = (await guarded.call("GET", "/me")).json()
    assert (me["mfa_enabled"], me["mfa_required"]) == (True, False)
    answer = await guarded.person.login()
    [detail] = answer.json()["error"]["details"]
    assert (detail["type"], detail["methods"]) == ("mfa", ["totp", "backup_code"])
    assert answer.headers["www-authenticate"]
    done = await guarded.verify(detail["mfa_token"], code=await guarded.code())
    assert done.status_code == 200
    assert claims(done.json()["access_token"])["amr"] == ["pwd", "otp", "mfa"]
    assert (await guarded.person.refresh()).status_code == 200
    assert "auth.mfa.enabled.v1" in await outside.facts()
    assert (await outside.facts()).count("auth.session.started.v1") == 3


async def test_the_choices_of_the_sign_in_outlive_its_first_factor(guarded, resources):
    token = await guarded.challenge(cookie=True, remember_me=True, device_name="Garden")
    done = await guarded.verify(token, code=await guarded.code())
    assert (done.json()["refresh_token"], bool(done.json()["csrf_token"])) == (None, True)
    session = await resources.database["sessions"].find_one({"_id": done.json()["session_id"]})
    assert session["ends_at"] - session["created_at"] == timedelta(days=30)
    assert (await guarded.call("GET", "/sessions")).json()["items"][0]["device_name"] == "Garden"


async def test_nothing_of_the_password_is_in_what_waits(guarded, resources):
    await guarded.challenge()
    [waiting] = await resources.database["mfa_challenges"].find({}).to_list()
    assert set(waiting["options"]) == {"remember_me", "refresh", "cookie", "device_name"}


async def test_secrets_are_sealed_or_hashed(guarded, resources):
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert guarded.secret not in str(stored)
    assert not any(code in str(stored) or code.replace("-", "") in str(stored) for code in guarded.backup_codes)
    assert len(stored["backup_hashes"]) == len(set(guarded.backup_codes)) == 10


async def test_a_code_works_once_in_parallel_too(guarded):
    code = await guarded.code()
    tokens = [await guarded.challenge() for _ in range(8)]
    answers = await asyncio.gather(*(guarded.verify(token, code=code) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert (await guarded.verify(await guarded.challenge(), code=code)).status_code == 401


async def test_the_code_that_confirmed_the_app_signs_nobody_in(ada):
    secret = (await ada.client.post(f"{AUTH}/mfa/totp", headers=ada.headers)).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    path = f"{AUTH}/mfa/totp/confirm"
    assert (await ada.client.post(path, json=WRONG, headers=ada.headers)).status_code == 401
    assert (await ada.client.post(path, json=code, headers=ada.headers)).status_code == 200
    token = (await ada.login()).json()["error"]["details"][0]["mfa_token"]
    again = await ada.client.post(f"{AUTH}/mfa/verify", json={"mfa_token": token} | code)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (1, 200), (2, 401)])
async def test_a_clock_may_be_off_by_one_step(guarded, steps, status, monkeypatch):
    moment = now()
    monkeypatch.setattr("grove_auth.mfa.check.now", lambda: moment)
    await guarded.code()
    code = pyotp.TOTP(guarded.secret).at(moment + timedelta(seconds=30 * steps))
    assert (await guarded.verify(await guarded.challenge(), code=code)).status_code == status


async def test_an_mfa_token_has_five_tries_under_parallel_guesses(guarded, resources, monkeypatch):
    from grove_auth.mfa.check import SecondFactorCheck

    checked, prove = [], SecondFactorCheck._proof

    async def counting(self, *given):
        checked.append(given)
        return await prove(self, *given)

    monkeypatch.setattr(SecondFactorCheck, "_proof", counting)
    token = await guarded.challenge()
    answers = await asyncio.gather(*(guarded.verify(token, **WRONG) for _ in range(30)))
    assert len(checked) == 5
    assert {answer.status_code for answer in answers} == {401}
    assert (await guarded.verify(token, code=await guarded.code())).json()["error"]["code"] == "INVALID_TOKEN"
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert stored["failures"] == 5


async def test_an_mfa_token_works_once_under_any_race(guarded, outside):
    token = await guarded.challenge()
    before = (await outside.facts()).count("auth.session.started.v1")
    proofs = [{"code": await guarded.code()}, *({"backup_code": code} for code in guarded.backup_codes[:4])]
    answers = await asyncio.gather(*(guarded.verify(token, **proof) for proof in proofs))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    assert (await outside.facts()).count("auth.session.started.v1") == before + 1


async def test_each_backup_code_works_once_under_any_race(guarded, resources):
    code = guarded.backup_codes[3]
    tokens = [await guarded.challenge() for _ in range(8)]
    answers = await asyncio.gather(*(guarded.verify(token, backup_code=code.upper()) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    await unlock(resources)
    assert claims(guarded.person.tokens["access_token"])["amr"] == ["pwd", "otp", "mfa"]
    for left in (*guarded.backup_codes[:3], *guarded.backup_codes[4:]):
        assert (await guarded.verify(await guarded.challenge(), backup_code=left)).status_code == 200
    answer = await guarded.person.login()
    assert answer.json()["error"]["details"][0]["methods"] == ["totp"], "none is left"


async def test_renewed_backup_codes_take_the_place_of_those_before(guarded):
    renewed = await guarded.call("POST", "/mfa/backup-codes")
    assert renewed.status_code == 200
    old, new = guarded.backup_codes[0], renewed.json()["backup_codes"][0]
    token = await guarded.challenge()
    assert (await guarded.verify(token, backup_code=old)).status_code == 401
    assert (await guarded.verify(token, backup_code=new)).status_code == 200


async def test_the_counters_of_password_and_second_factor_are_apart(guarded, resources, outside):
    assert await guess(guarded, 10) == [401] * 10
    token = await guarded.challenge()  # the password still does its part
    locked = await guarded.verify(token, code=await guarded.code())
    assert locked.status_code == 429
    assert 3500 < int(locked.headers["retry-after"]) <= 3601
    assert await resources.database["password_attempts"].count_documents({}) == 0
    [told] = [event for event in await outside.events() if event.type == "auth.login.locked.v1"]
    assert (told.data["factor"], told.data["failures"]) == ("second", 10)
    await unlock(resources)
    for _ in range(10):
        await guarded.person.login(password="guess a tree or two")
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert stored["failures"] == 10, "wrong passwords are not counted here"
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 200
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert (stored["failures"], stored["locked_until"]) == (0, NEVER), "a right one begins anew"


async def test_who_guesses_codes_knows_the_password_so_the_owner_is_mailed(guarded, resources, outside):
    assert await guess(guarded, 10) == [401] * 10
    [mail] = [mail for mail in await outside.mails() if mail["template"] == "mfa_locked"]
    assert (mail["to"], mail["variables"]["failures"]) == (guarded.person.email, "10")
    assert set(mail["variables"]) == MAILS["mfa_locked"]
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert datetime.fromisoformat(mail["variables"]["until"]) - stored["locked_until"] < timedelta(seconds=1)


async def test_at_a_hundred_in_a_row_only_a_recovery_helps(guarded, resources, outside):
    factors = resources.database["second_factors"]
    for failures, hours in ((19, 2), (89, 256), (99, 24 * 365 * 1000)):
        await factors.update_many({}, {"$set": {"failures": failures, "locked_until": NEVER}})
        assert (await guarded.verify(await guarded.challenge(), **WRONG)).status_code == 401
        [stored] = await factors.find({}).to_list()
        assert stored["locked_until"] - now() > timedelta(hours=hours - 1)
    told = [event.data["until"] for event in await outside.events() if event.type == "auth.login.locked.v1"]
    assert told[-1] is None
    assert (await guarded.verify(await guarded.challenge(), code=await guarded.code())).status_code == 429


async def test_parallel_guesses_over_many_sign_ins_gain_nothing(guarded, resources):
    tokens = [await guarded.challenge() for _ in range(6)]
    answers = await asyncio.gather(*(guarded.verify(token, **WRONG) for token in tokens for _ in range(5)))
    assert [answer.status_code for answer in answers].count(401) == 10
    assert {answer.status_code for answer in answers} <= {401, 429, 503}
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert stored["failures"] == 10


async def test_an_expired_token_is_refused_before_it_is_swept(guarded, resources):
    token = await guarded.challenge()
    past = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    await resources.database["mfa_challenges"].update_many({}, past)
    answer = await guarded.verify(token, code=await guarded.code())
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_TOKEN")


async def test_a_token_takes_only_its_own_users_codes(guarded, client, outside, resources, stranger):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    secret = (await client.post(f"{AUTH}/mfa/totp", headers=stranger.headers)).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    codes = (await client.post(f"{AUTH}/mfa/totp/confirm", json=code, headers=stranger.headers)).json()["backup_codes"]
    token = (await stranger.login()).json()["error"]["details"][0]["mfa_token"]
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 401
    assert (await guarded.verify(token, backup_code=guarded.backup_codes[0])).status_code == 401
    assert (await guarded.verify(await guarded.challenge(), backup_code=codes[0])).status_code == 401
    done = await guarded.verify(token, backup_code=codes[0])
    assert done.status_code == 200
    assert (await guarded.call("GET", "/me")).json()["email"] == stranger.email


@pytest.mark.parametrize("proof", [{}, {"code": "12345"}, {"code": "123456", "backup_code": "x"}, {"code": "a23456"}])
async def test_what_is_no_code_is_refused(guarded, proof):
    assert (await guarded.verify(await guarded.challenge(), **proof)).status_code == 422


async def test_a_changed_password_ends_what_waits(guarded):
    token = await guarded.challenge()
    change = {"current_password": "plant trees not walls", "new_password": OTHER}
    assert (await guarded.call("POST", "/change-password", change)).status_code == 200
    assert (await guarded.verify(token, code=await guarded.code())).json()["error"]["code"] == "INVALID_TOKEN"


async def test_a_reset_does_not_go_around_the_second_factor(guarded, outside):
    await guarded.person.client.post(f"{AUTH}/request-password-reset", json={"email": guarded.person.email})
    reset = {"token": (await outside.mails())[-1]["variables"]["token"], "new_password": OTHER}
    done = await guarded.person.client.post(f"{AUTH}/reset-password", json=reset)
    assert (done.status_code, done.content) == (204, b"")
    answer = await guarded.person.login(password=OTHER)
    assert answer.json()["error"]["code"] == "MFA_REQUIRED"
    token = answer.json()["error"]["details"][0]["mfa_token"]
    assert (await guarded.verify(token, **WRONG)).status_code == 401
    assert (await guarded.verify(token, code=await guarded.code())).status_code == 200
    assert (await guarded.call("GET", "/me")).json()["mfa_enabled"] is True


async def test_who_is_blocked_between_the_factors_stays_out(guarded, resources):
    token = await guarded.challenge()
    await resources.database["users"].update_many({}, {"$set": {"blocked_until": now() + timedelta(hours=1)}})
    answer = await guarded.verify(token, code=await guarded.code())
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ACCOUNT_BLOCKED")


async def test_deleting_the_account_leaves_nothing(guarded, resources):
    await guarded.challenge()
    assert (await guarded.sign_in(trust_device=True)).status_code == 200
    assert (await guarded.call("DELETE", "/me")).status_code == 204
    for name in ("second_factors", "mfa_challenges", "sent_codes", "mfa_recoveries", "trusted_devices"):
        assert await resources.database[name].count_documents({}) == 0


async def test_a_first_factor_that_is_two_needs_no_other(guarded, resources):
    """As a passkey that verifies its user is."""
    from grove_auth.mfa.errors import MfaRequired
    from grove_auth.models import User
    from grove_auth.sessions.schemas import SessionOptions
    from grove_auth.sign_ins.service import SignInService

    user = await User.find_one({"email": guarded.person.email})
    service = SignInService(resources)
    assert (await service.proceed(user, SessionOptions(), ["hwk", "user", "mfa"])).access_token
    with pytest.raises(MfaRequired):
        await service.proceed(user, SessionOptions(), ["hwk"])
