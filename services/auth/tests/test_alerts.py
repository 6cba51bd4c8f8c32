"""Alert mails, and what their link does when it was not the owner."""

import asyncio
from datetime import datetime, timedelta
from typing import get_args

import pytest

from grove.contracts.mails import ALERTS, MAILS
from grove.core.clock import now
from grove.core.ids import new_id
from grove_auth.alerts.service import AlertKind, AlertService
from grove_auth.models import User
from grove_auth.one_time_tokens import token_hash
from grove_auth.sessions.errors import InvalidCredentials
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.takeovers import service as takeovers

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"
WRONG = "guess a tree or two"


async def alerts(outside, kind: str | None = None) -> list[dict]:
    return [mail for mail in await outside.mails() if mail["template"] in ({kind} if kind else ALERTS)]


async def not_me(person, token: str):
    return await person.client.post(f"{AUTH}/security/not-me", json={"token": token})


async def change_password(person, new: str = OTHER, current: str = PASSWORD) -> None:
    body = {"current_password": current, "new_password": new}
    answer = await person.client.post(f"{AUTH}/change-password", json=body, headers=person.headers)
    assert answer.status_code == 200
    person.tokens = answer.json()


async def alerted(person, outside) -> str:
    """The token of an alert: the password was changed, to what it was named."""
    await change_password(person)
    return (await alerts(outside))[-1]["variables"]["token"]


async def stored(resources) -> dict:
    [user] = await resources.database["users"].find({}).to_list()
    return user


async def lock(person, resources) -> None:
    for _ in range(10):
        await person.login(password=WRONG)
    moment = now() - timedelta(seconds=1)
    await resources.database["password_attempts"].update_many({}, {"$set": {"locked_until": moment}})


def test_every_kind_has_its_variables():
    assert set(get_args(AlertKind)) == set(ALERTS)


async def test_mails_bear_the_variables_that_are_agreed(ada, outside, resources):
    parent = ada.tokens["refresh_token"]
    for _ in range(2):
        ada.tokens = (await ada.refresh()).json()
    await ada.refresh(parent)
    await ada.login(headers={"User-Agent": "curl/8.5"})
    await change_password(ada)
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    for email in (f"{new_id().hex[-10:]}@example.com", ada.email):
        await ada.client.post(f"{AUTH}/change-email", json={"new_email": email}, headers=ada.headers)
    await lock(ada, resources)
    await not_me(ada, (await alerts(outside))[0]["variables"]["token"])
    mails = await outside.mails()
    assert all(set(mail["variables"]) == MAILS[mail["template"]] for mail in mails)
    sent = {mail["template"] for mail in mails}
    assert {"session_reuse", "new_sign_in", "password_changed", "login_locked", "change_email", "email_taken"} <= sent


@pytest.mark.parametrize(("kind", "names"), ALERTS.items())
async def test_an_alert_is_one_line_for_whoever_has_the_fact(ada, outside, resources, kind, names):
    user = await User.find_one({"email": ada.email})
    service = AlertService(resources)
    variables = dict.fromkeys(names, "x")
    await resources.transaction(lambda transaction: service.add(transaction, user, kind, **variables))
    [mail] = await alerts(outside)
    assert (mail["template"], mail["to"], set(mail["variables"])) == (kind, ada.email, MAILS[kind])
    [link] = await resources.database["not_me_links"].find({}).to_list()
    assert link["_id"] == token_hash(mail["variables"]["token"])
    assert timedelta(days=6, hours=23) < link["expires_at"] - now() <= timedelta(days=7)


async def test_alerts_speak_the_owners_language_and_tell_the_owners_time(ada, outside):
    place = {"locale": "de", "timezone": "Asia/Kolkata"}
    await ada.client.patch(f"{AUTH}/me", json=place, headers=ada.headers)
    await change_password(ada)
    [mail] = await alerts(outside)
    requested = [event for event in await outside.events() if event.type == "auth.mail.requested.v1"][-1]
    assert requested.data["locale"] == "de"
    assert now() - datetime.fromisoformat(mail["variables"]["at"]) < timedelta(minutes=5)
    assert mail["variables"]["timezone"] == "Asia/Kolkata"


async def test_what_strangers_can_cause_is_mailed_once_an_hour(ada, outside, resources):
    for _ in range(3):
        await lock(ada, resources)
    assert (await outside.facts()).count("auth.login.locked.v1") == 3
    [mail] = await alerts(outside)
    assert (mail["template"], mail["variables"]["failures"]) == ("login_locked", "10")
    hour_ago = {"$set": {"created_at": now() - timedelta(minutes=61)}}
    await resources.database["not_me_links"].update_many({}, hour_ago)
    await lock(ada, resources)
    assert [mail["variables"]["failures"] for mail in await alerts(outside)] == ["10", "40"]


async def test_changes_by_who_is_signed_in_are_always_mailed(ada, outside):
    await change_password(ada)
    await change_password(ada, "a third one that is long", OTHER)
    assert len(await alerts(outside, "password_changed")) == 2


async def test_a_lock_of_nobodys_address_is_mailed_to_nobody(stranger, outside, resources):
    await lock(stranger, resources)
    assert await outside.mails() == []


async def test_it_was_not_me_ends_everything_and_asks_for_another_password(ada, outside, resources):
    token = await alerted(ada, outside)
    other = (await ada.login(password=OTHER)).json()
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
    thiefs_reset = (await outside.mails())[-1]["variables"]["token"]
    assert (await not_me(ada, token)).status_code == 204
    for tokens in (ada.tokens, other):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await ada.client.get(f"{AUTH}/me", headers=headers)).status_code == 401
        assert (await ada.refresh(tokens["refresh_token"])).status_code == 401
    user = await stored(resources)
    assert (user["token_version"], user["password_reset_required"]) == (3, True)
    [entry] = [e for e in (await resources.revocations.snapshot()).entries if e.kind == "user"][-1:]
    assert entry.minimum == 3
    expired = await ada.login(password=OTHER)
    assert (expired.status_code, expired.json()["error"]["code"]) == (403, "PASSWORD_EXPIRED")
    assert (await ada.login(password=WRONG)).json()["error"]["code"] == "INVALID_CREDENTIALS"
    reset = {"token": thiefs_reset, "new_password": "the thief would like this one"}
    assert (await ada.client.post(f"{AUTH}/reset-password", json=reset)).status_code == 410
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"]) == ("reset_password", ada.email)
    fresh = "nobody else knows this one"
    body = {"token": mail["variables"]["token"], "new_password": fresh}
    assert (await ada.client.post(f"{AUTH}/reset-password", json=body)).status_code == 204
    assert (await ada.login(password=fresh)).status_code == 200
    actions = [entry["action"] for entry in await resources.audit_database["audit_events"].find({}).to_list()]
    assert {"account.given_back", "login.refused"} <= set(actions)


async def test_a_link_works_once_and_takes_those_of_other_alerts_with_it(ada, outside):
    first = await alerted(ada, outside)
    await change_password(ada, "a third one that is long", OTHER)
    second = (await alerts(outside))[-1]["variables"]["token"]
    answers = await asyncio.gather(*(not_me(ada, first) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204, 410, 410, 410, 410]
    assert (await not_me(ada, second)).status_code == 410
    assert len([m for m in await outside.mails() if m["template"] == "reset_password"]) == 1


async def test_a_link_dies_with_its_time(ada, outside, resources):
    token = await alerted(ada, outside)
    await resources.database["not_me_links"].update_many({}, {"$set": {"expires_at": now()}})
    assert (await not_me(ada, token)).status_code == 410
    assert (await not_me(ada, "made up")).status_code == 410
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 200


async def test_who_changed_the_address_meanwhile_does_not_get_the_reset(ada, outside, resources):
    """The alert is answered with the address it was mailed to, over two changes."""
    old, token = ada.email, await alerted(ada, outside)
    for thief in ("one@example.com", "two@example.com"):
        asked = await ada.client.post(f"{AUTH}/change-email", json={"new_email": thief}, headers=ada.headers)
        assert asked.status_code == 202
        link = (await outside.mails())[-1]["variables"]["token"]
        confirmed = await ada.client.post(f"{AUTH}/change-email/confirm", json={"token": link})
        assert confirmed.status_code == 204
    assert (await not_me(ada, token)).status_code == 204
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"]) == ("reset_password", old)
    assert (await stored(resources))["email"] == old
    assert await resources.database["email_undos"].count_documents({}) == 0


async def test_no_sign_in_survives_it(ada, outside, resources):
    """Sign-ins race the link, which ends what began before it and refuses what comes later."""
    password, new = PASSWORD, OTHER
    for number in range(6):
        await change_password(ada, new, password)
        token = (await alerts(outside))[-1]["variables"]["token"]
        answers = await asyncio.gather(not_me(ada, token), *(ada.login(password=new) for _ in range(4)))
        assert answers[0].status_code == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 401, 403}
        assert await resources.database["sessions"].count_documents({}) == 0
        password, new = f"{number} trees in the garden", f"{number} more trees in the garden"
        mail = [m for m in await outside.mails() if m["template"] == "reset_password"][-1]
        body = {"token": mail["variables"]["token"], "new_password": password}
        assert (await ada.client.post(f"{AUTH}/reset-password", json=body)).status_code == 204
        assert (await ada.login(password=password)).status_code == 200


async def test_no_way_to_sign_in_starts_a_session_until_the_reset(ada, outside, resources):
    """Also one that looks at the account only after its last factor."""
    await not_me(ada, await alerted(ada, outside))
    user = await User.find_one({"email": ada.email})
    with pytest.raises(InvalidCredentials):
        await SessionService(resources).start(user, SessionOptions(), ["mfa"])
    assert await resources.database["sessions"].count_documents({}) == 0


async def test_other_ways_in_end_in_the_same_transaction(ada, outside, resources, monkeypatch):
    """The seam for what else lets somebody in."""
    seen = []

    async def revoke(given, transaction, user_id):
        seen.append((given is resources, transaction.in_transaction, user_id))

    monkeypatch.setattr(takeovers, "WAYS_IN", (*takeovers.WAYS_IN, revoke))
    assert (await not_me(ada, await alerted(ada, outside))).status_code == 204
    assert seen == [(True, True, (await stored(resources))["_id"])]
