"""Trusted devices: they skip the second factor of their own user, for a time, until something changes."""

from datetime import timedelta
from uuid import UUID

import pyotp
import pytest

from grove.core.clock import now
from grove_auth.devices.service import DeviceService
from grove_auth.models import User

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
COOKIE = "__Host-grove_device"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"


@pytest.fixture
async def browser(guarded):
    """Ada in a browser that she trusts."""
    assert (await guarded.sign_in(trust_device=True)).status_code == 200
    return guarded


async def devices(guarded) -> list[dict]:
    answer = await guarded.call("GET", "/devices")
    assert answer.status_code == 200
    return answer.json()["items"]


async def skips(guarded, password: str = PASSWORD) -> bool:
    answer = await guarded.person.login(password=password)
    assert answer.status_code == 200 or answer.json()["error"]["code"] == "MFA_REQUIRED"
    return answer.status_code == 200


async def test_the_cookie_is_out_of_reach_and_skips_the_second_factor(guarded, resources):
    done = await guarded.sign_in(trust_device=True)
    [cookie] = [c for c in done.headers.get_list("set-cookie") if c.startswith(COOKIE)]
    for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/;", f"Max-Age={30 * 24 * 3600}"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert await skips(guarded)
    session = await resources.database["sessions"].find_one({"_id": guarded.person.tokens["session_id"]})
    assert session["amr"] == ["pwd"], "a trusted device is no factor"
    [device] = await devices(guarded)
    assert device["current"] is True
    assert device["last_used_at"] > device["created_at"]
    [stored] = await resources.database["trusted_devices"].find({}).to_list()
    assert guarded.person.client.cookies[COOKIE] not in str(stored)


async def test_without_asking_no_device_is_trusted(guarded):
    done = await guarded.sign_in()
    assert not any(COOKIE in cookie for cookie in done.headers.get_list("set-cookie"))
    assert await devices(guarded) == []
    assert not await skips(guarded)


async def test_a_wrong_password_stays_wrong_on_it(browser):
    assert (await browser.person.login(password="guess a tree or two")).json()["error"]["code"] == "INVALID_CREDENTIALS"


async def test_step_up_counts_from_when_the_second_factor_was_proven(browser, resources):
    past = {"$set": {"created_at": now() - timedelta(days=3)}}
    await resources.database["trusted_devices"].update_many({}, past)
    assert await skips(browser)
    answer = await browser.call("DELETE", "/me")
    assert answer.json()["error"]["code"] == "REAUTH_REQUIRED"
    proof = {"password": PASSWORD, "code": await browser.code()}
    browser.person.tokens |= (await browser.call("POST", "/reauthenticate", proof)).json()
    assert (await browser.call("DELETE", "/me")).status_code == 204


async def test_another_users_cookie_is_worth_nothing(browser, client, stranger, resources):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    secret = (await client.post(f"{AUTH}/mfa/totp", headers=stranger.headers)).json()["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    await client.post(f"{AUTH}/mfa/totp/confirm", json=code, headers=stranger.headers)
    assert (await stranger.login()).json()["error"]["code"] == "MFA_REQUIRED"
    assert await skips(browser), "it still is her own"
    users = resources.database["users"]
    [hers] = await users.find({"email": browser.person.email}).to_list()
    [theirs] = await users.find({"email": stranger.email}).to_list()
    service, token = DeviceService(resources), client.cookies[COOKIE]
    [device] = await devices(browser)
    assert str(await service.trusted(hers["_id"], token)) == device["id"]
    for user_id, wrong in ((theirs["_id"], token), (hers["_id"], "guessed"), (hers["_id"], None)):
        assert await service.trusted(user_id, wrong) is None


async def test_its_time_is_over_before_it_is_swept(browser, resources):
    past = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    await resources.database["trusted_devices"].update_many({}, past)
    assert not await skips(browser)
    assert await devices(browser) == []


async def test_one_is_revoked_or_all_are(browser):
    [device] = await devices(browser)
    path = f"/devices/{device['id']}"
    assert [(await browser.call("DELETE", path)).status_code for _ in range(2)] == [204, 404]
    assert not await skips(browser)
    assert (await browser.sign_in(trust_device=True)).status_code == 200
    assert (await browser.call("DELETE", "/devices")).status_code == 204
    assert await devices(browser) == []
    assert not await skips(browser)


async def test_nobody_revokes_another_users(browser, client, stranger):
    [device] = await devices(browser)
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    refused = await client.delete(f"{AUTH}/devices/{device['id']}", headers=stranger.headers)
    assert refused.status_code == 404
    assert await skips(browser)


async def test_a_changed_password_ends_the_trust(browser):
    change = {"current_password": PASSWORD, "new_password": OTHER}
    browser.person.tokens = (await browser.call("POST", "/change-password", change)).json()
    assert await devices(browser) == []
    assert not await skips(browser, OTHER)


async def test_a_reset_ends_the_trust(browser, outside):
    await browser.person.client.post(f"{AUTH}/request-password-reset", json={"email": browser.person.email})
    reset = {"token": (await outside.mails())[-1]["variables"]["token"], "new_password": OTHER}
    assert (await browser.person.client.post(f"{AUTH}/reset-password", json=reset)).status_code == 204
    assert not await skips(browser, OTHER)


async def test_a_changed_second_factor_ends_the_trust(browser):
    assert (await browser.call("POST", "/mfa/email")).status_code == 200
    assert not await skips(browser)


async def test_an_administrator_who_ends_sessions_ends_the_trust(browser, stranger, resources, client):
    me = (await browser.call("GET", "/me")).json()["id"]
    await stranger.register()
    await stranger.verify()
    await resources.database["users"].update_one({"email": stranger.email}, {"$set": {"roles": ["user", "admin"]}})
    await stranger.login()
    ended = await client.post(f"{AUTH}/admin/users/{me}/revoke-sessions", headers=stranger.headers)
    assert ended.status_code == 204
    assert not await skips(browser)


async def test_what_the_audit_log_does_not_take_does_not_happen(browser, resources, monkeypatch):
    async def fail(*_, **__) -> None:
        raise ConnectionError("the audit log is away")

    [device] = await devices(browser)
    user = await User.find_one({"email": browser.person.email})
    monkeypatch.setattr(resources.audit, "add", fail)
    service = DeviceService(resources)
    for act in (service.trust(user, None), service.revoke(user.id, UUID(device["id"])), service.revoke_all(user.id)):
        with pytest.raises(ConnectionError):
            await act
    assert await devices(browser) == [device]
