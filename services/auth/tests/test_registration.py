"""Registration: nothing tells whether an address is taken, and nobody can prepare somebody else's account."""

import asyncio

import pytest
from pydantic import ValidationError

from grove_auth.registrations.schemas import Register

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"


async def test_the_account_exists_once_the_link_is_opened(stranger, outside):
    assert (await stranger.register()).content == b""
    assert await outside.facts() == []
    assert (await stranger.verify()).status_code == 204
    assert await outside.facts() == ["auth.user.registered.v1", "auth.user.verified.v1"]
    registered = (await outside.events())[1]
    assert registered.data["email"] == stranger.email
    assert registered.sequence == 1
    assert (await stranger.login()).status_code == 200


async def test_a_link_works_once_even_when_opened_twice_at_once(stranger, outside):
    await stranger.register()
    answers = await asyncio.gather(*(stranger.verify() for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204, 410, 410, 410, 410]
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code == 410]
    assert refused == ["GONE"] * 4
    assert await outside.facts() == ["auth.user.registered.v1", "auth.user.verified.v1"]


async def test_a_taken_address_gets_the_same_answer_and_its_owner_a_mail(ada, outside):
    answer = await ada.register(password="another good passphrase")
    assert (answer.status_code, answer.content) == (202, b"")
    mails = await outside.mails()
    assert mails[-1]["template"] == "already_registered"
    assert "token" not in mails[-1]["variables"]
    assert (await ada.login(password="another good passphrase")).status_code == 401


async def test_password_and_token_belong_together(stranger, outside):
    await stranger.register(password="what an attacker would like")
    await stranger.register()
    assert (await stranger.verify()).status_code == 204
    assert (await stranger.login(password="what an attacker would like")).status_code == 401
    assert (await stranger.login()).status_code == 200
    attackers = (await outside.mails())[0]["variables"]["token"]
    assert (await stranger.client.post(f"{AUTH}/verify-email", json={"token": attackers})).status_code == 410


async def test_before_verification_only_the_right_password_is_told_so(stranger):
    await stranger.register()
    wrong, right = await stranger.login(password="wrong wrong wrong"), await stranger.login()
    assert wrong.json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert (right.status_code, right.json()["error"]["code"]) == (403, "EMAIL_NOT_VERIFIED")


async def test_a_new_link_replaces_the_old_one(stranger, outside):
    await stranger.register()
    old = (await outside.mails())[-1]["variables"]["token"]
    assert (
        await stranger.client.post(f"{AUTH}/resend-verification", json={"email": stranger.email})
    ).status_code == 202
    assert (
        await stranger.client.post(f"{AUTH}/resend-verification", json={"email": "no@example.com"})
    ).status_code == 202
    assert len(await outside.mails()) == 2
    assert (await stranger.client.post(f"{AUTH}/verify-email", json={"token": old})).status_code == 410
    assert (await stranger.verify()).status_code == 204


async def test_an_expired_registration_is_gone(stranger, resources):
    await stranger.register()
    from datetime import timedelta

    from grove.core.clock import now

    await resources.database["registrations"].update_many({}, {"$set": {"expires_at": now() - timedelta(seconds=1)}})
    assert (await stranger.verify()).status_code == 410
    assert (await stranger.login()).json()["error"]["code"] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "no-address"},
        {"email": "a@b"},
        {"password": "short"},
        {"password": "password1234"},
        {"password": "aaaaaaaaaaaaaaaa"},
        {"password": "x" * 129},
        {"name": "A"},
        {"name": "a\u202eb"},
        {"timezone": "Mars/Olympus"},
        {"locale": "!!"},
        {"roles": ["admin"]},
    ],
)
async def test_bad_input_is_a_422_and_changes_nothing(stranger, outside, changes):
    answer = await stranger.register(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert "password" not in changes or changes["password"] not in answer.text
    assert await outside.events() == []


def test_addresses_have_one_spelling():
    assert Register(email="Ada@EXAMPLE.com", password="x", name="Ada").email == "ada@example.com"
    assert Register(email="a@example.com", password="x", name="Ada", locale="de-AT").locale == "de"
    assert Register(email="a@example.com", password="x", name="Ada", locale="fr").locale == "en"
    with pytest.raises(ValidationError):
        Register(email="a b@example.com", password="x", name="Ada")
