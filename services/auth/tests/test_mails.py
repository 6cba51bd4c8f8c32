"""Mails that auth asks for: until when each is worth sending, and what goes to addresses that nobody proved yet."""

from datetime import datetime, timedelta

import pytest

from grove.core.ids import new_id
from grove_auth.deletions.service import DeletionService
from grove_auth.mfa.codes import CodeService, reauthentication
from grove_auth.mfa.recovery import RecoveryService
from grove_auth.models import User
from grove_auth.passwords.service import PasswordService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
LURE = "You won: https://evil.example"


@pytest.fixture
def ends(resources):
    """When the secrets end that a collection keeps."""

    async def ends(collection: str, field: str = "expires_at") -> list[datetime]:
        return [document[field] for document in await resources.database[collection].find({}).to_list()]

    return ends


@pytest.fixture
def worth_until(outside):
    """Until when the newest mail of a template is worth sending."""

    async def worth_until(template: str) -> datetime:
        mail = [mail for mail in await outside.mails() if mail["template"] == template][-1]
        return datetime.fromisoformat(mail["expires_at"])

    return worth_until


def close(one: datetime, other: datetime) -> bool:
    """The same time, as exactly as the store keeps it."""
    return abs(one - other) < timedelta(milliseconds=1)


async def test_a_registrations_mail_is_worth_as_much_as_its_link(stranger, worth_until, ends):
    await stranger.register()
    [stored] = await ends("registrations")
    assert close(await worth_until("verify_email"), stored)
    await stranger.client.post(f"{AUTH}/resend-verification", json={"email": stranger.email})
    assert close(await worth_until("verify_email"), stored)


async def test_a_link_that_is_mailed_again_says_how_many_hours_are_left(stranger, outside, resources):
    await stranger.register()
    assert (await outside.mails())[-1]["variables"]["hours"] == 24
    update = [{"$set": {"expires_at": {"$subtract": ["$expires_at", 20 * 3600 * 1000]}}}]
    await resources.database["registrations"].update_many({}, update)
    await stranger.client.post(f"{AUTH}/resend-verification", json={"email": stranger.email})
    assert (await outside.mails())[-1]["variables"]["hours"] == 4


async def test_mails_end_with_the_secrets_in_them(ada, resources, worth_until, ends):
    email = f"{new_id().hex[-10:]}@example.com"
    user = await User.find_one({"email": ada.email})
    assert user is not None
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    assert close(await worth_until("reset_password"), (await ends("password_resets"))[0])
    await ada.client.post(f"{AUTH}/change-email", json={"new_email": email}, headers=ada.headers)
    assert close(await worth_until("change_email"), (await ends("email_changes"))[0])
    await CodeService(resources).by_mail(user, reauthentication("x"))
    assert close(await worth_until("mfa_code"), (await ends("sent_codes"))[0])
    await RecoveryService(resources).begin(user)
    assert close(await worth_until("mfa_recovery"), (await ends("mfa_recoveries", "due_at"))[0])
    await resources.database["password_resets"].delete_many({})
    await resources.transaction(lambda transaction: PasswordService(resources).invite(user, transaction))
    assert close(await worth_until("invitation"), (await ends("password_resets"))[0])


async def test_what_takes_a_change_of_address_back_ends_with_its_mail(ada, outside, worth_until, ends):
    email = f"{new_id().hex[-10:]}@example.com"
    await ada.client.post(f"{AUTH}/change-email", json={"new_email": email}, headers=ada.headers)
    token = (await outside.mails())[-1]["variables"]["token"]
    assert (await ada.client.post(f"{AUTH}/change-email/confirm", json={"token": token})).status_code == 204
    assert close(await worth_until("email_changed"), (await ends("email_undos"))[0])


async def test_what_has_an_account_back_ends_with_its_mail(ada, resources, worth_until, monkeypatch):
    monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update={"deletion_grace_days": 7}))
    user = await User.find_one({"email": ada.email})
    assert user is not None
    until = await DeletionService(resources).close(user.id)
    assert until is not None
    assert close(await worth_until("deletion_scheduled"), until)


async def test_a_stranger_can_not_have_words_of_theirs_mailed_to_others(person_of, ada, outside):
    """Only the owner of an account is called by a name, and by that of the account."""
    thief = person_of()
    await thief.register(name=LURE)
    await thief.verify()
    await thief.login()
    await ada.register(name=LURE)
    for email in (f"{new_id().hex[-10:]}@example.com", ada.email):
        await thief.client.post(f"{AUTH}/change-email", json={"new_email": email}, headers=thief.headers)
    mails = [mail for mail in await outside.mails() if mail["to"] != thief.email]
    assert {"already_registered", "change_email", "email_taken"} <= {mail["template"] for mail in mails}
    mails += [mail for mail in await outside.mails() if mail["template"] == "verify_email"]
    assert [mail for mail in mails if LURE in str(mail["variables"])] == []


async def test_an_international_domain_is_one_account_however_it_is_spelled(person_of, outside):
    ada, again = person_of(), person_of()
    domain = f"{new_id().hex[-10:]}.example"
    ada.email, again.email = f"ada@müller.{domain}", f"Ada@xn--mller-kva.{domain.upper()}"
    assert (await ada.register()).status_code == 202
    assert (await ada.verify()).status_code == 204
    assert (await again.login()).status_code == 200
    me = await again.client.get(f"{AUTH}/me", headers=again.headers)
    assert me.json()["email"] == ada.email
    await again.register(password="another good passphrase")
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"]) == ("already_registered", ada.email)


async def test_an_address_that_few_servers_take_is_refused_with_the_reason(stranger):
    refused = await stranger.register(email="ädà@example.com")
    assert refused.status_code == 422
    [detail] = refused.json()["error"]["details"]
    assert detail["field"] == "body.email"
    assert "before the @-sign are not supported" in detail["message"]
