"""Another address: confirmed by the new one, told to the old one, and taken back by it whatever came after."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove_auth.one_time_tokens import token_hash

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"


def address() -> str:
    return f"{new_id().hex[-10:]}@example.com"


async def ask(person, email: str):
    return await person.client.post(f"{AUTH}/change-email", json={"new_email": email}, headers=person.headers)


async def post(person, path: str, token: str) -> int:
    return (await person.client.post(f"{AUTH}/{path}", json={"token": token})).status_code


async def mailed(outside, to: str, template: str) -> str:
    """The token of the newest such mail."""
    found = [m for m in await outside.mails() if (m["to"], m["template"]) == (to, template)]
    return found[-1]["variables"]["token"]


async def move(person, outside, email: str) -> str:
    """Change the person's address; the token by which the old one takes it back."""
    old = person.email
    assert (await ask(person, email)).status_code == 202
    assert await post(person, "change-email/confirm", await mailed(outside, email, "change_email")) == 204
    person.email = email
    return await mailed(outside, old, "email_changed")


async def stored(resources) -> dict:
    [user] = await resources.database["users"].find({}).to_list()
    return user


async def set_password(person, outside, to: str, password: str = OTHER) -> int:
    body = {"token": await mailed(outside, to, "reset_password"), "new_password": password}
    return (await person.client.post(f"{AUTH}/reset-password", json=body)).status_code


async def test_an_address_is_another_one_once_the_new_one_says_so(ada, outside, resources):
    old, new = ada.email, address()
    assert (await ask(ada, new)).content == b""
    assert (await ada.login()).status_code == 200, "nothing changed yet"
    token = await mailed(outside, new, "change_email")
    [link] = await resources.database["email_changes"].find({}).to_list()
    assert link["_id"] == token_hash(token)
    assert timedelta(hours=23) < link["expires_at"] - now() <= timedelta(hours=24)
    assert await post(ada, "change-email/confirm", token) == 204
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).json()["email"] == new, "the session goes on"
    assert (await ada.refresh()).status_code == 200
    assert (await ada.login()).status_code == 401
    ada.email = new
    assert (await ada.login()).status_code == 200
    [event] = [event for event in await outside.events() if event.type == "auth.user.email_changed.v1"]
    assert (event.data["email"], event.data["how"]) == (new, "changed")
    numbers = [event.sequence for event in await outside.events() if event.type != "auth.mail.requested.v1"]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert [m["template"] for m in await outside.mails() if m["to"] == old][-1] == "email_changed"
    audited = await resources.audit_database["audit_events"].find({}).to_list()
    assert {"email.change_requested", "email.changed"} <= {entry["action"] for entry in audited}
    assert new not in str(audited)


async def test_an_address_changes_only_for_who_proved_just_now_who_they_are(ada, resources):
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    ada.tokens = (await ada.refresh()).json()
    refused = await ask(ada, address())
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    assert (await ada.client.post(f"{AUTH}/change-email", json={"new_email": address()})).status_code == 401


async def test_a_taken_address_gets_the_same_answer_and_its_owner_a_mail(ada, stranger, outside, resources):
    await stranger.register()
    await stranger.verify()
    free, taken, own = await ask(ada, address()), await ask(ada, stranger.email.upper()), await ask(ada, ada.email)
    assert {(answer.status_code, answer.content) for answer in (free, taken, own)} == {(202, b"")}
    mails = (await outside.mails())[-2:]
    assert [(m["template"], m["to"]) for m in mails] == [("email_taken", stranger.email), ("email_taken", ada.email)]
    assert all(set(m["variables"]) == {"name"} for m in mails)
    assert await resources.database["email_changes"].count_documents({}) == 1


async def test_a_link_works_once_even_when_opened_five_times_at_once(ada, outside):
    new = address()
    await ask(ada, new)
    token = await mailed(outside, new, "change_email")
    answers = await asyncio.gather(*(post(ada, "change-email/confirm", token) for _ in range(5)))
    assert sorted(answers) == [204, 410, 410, 410, 410]
    assert (await outside.facts()).count("auth.user.email_changed.v1") == 1
    assert len([m for m in await outside.mails() if m["template"] == "email_changed"]) == 1


async def test_of_two_accounts_that_confirm_the_same_address_at_once_one_gets_it(ada, stranger, outside, resources):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    for _ in range(5):
        wanted = address()
        tokens = []
        for person in (ada, stranger):
            assert (await ask(person, wanted)).status_code == 202
            tokens.append(await mailed(outside, wanted, "change_email"))
        assert tokens[0] != tokens[1]
        answers = await asyncio.gather(*(post(ada, "change-email/confirm", token) for token in tokens))
        assert sorted(answers) == [204, 410]
        assert await resources.database["users"].count_documents({"email": wanted}) == 1
        assert await resources.database["email_undos"].count_documents({}) == await told(outside), "with its owner only"


async def told(outside) -> int:
    return len([m for m in await outside.mails() if m["template"] == "email_changed"])


async def test_a_registration_that_waits_for_the_address_is_gone(ada, stranger, outside, resources):
    await stranger.register()
    token = await mailed(outside, stranger.email, "verify_email")
    await move(ada, outside, stranger.email)
    assert (await ada.client.post(f"{AUTH}/verify-email", json={"token": token})).status_code == 410
    assert await resources.database["registrations"].count_documents({}) == 0


async def test_guesses_at_an_address_are_forgotten_once_it_is_confirmed(ada, outside):
    new = address()
    for _ in range(11):
        await ada.login(email=new)
    await move(ada, outside, new)
    assert (await ada.login()).status_code == 200


async def test_verifying_and_confirming_the_same_address_at_once_makes_one_account_of_it(ada, stranger, outside):
    await stranger.register()
    await ask(ada, stranger.email)
    token = await mailed(outside, stranger.email, "change_email")
    verification = await mailed(outside, stranger.email, "verify_email")
    answers = await asyncio.gather(post(ada, "change-email/confirm", token), post(ada, "verify-email", verification))
    assert sorted(answers) == [204, 410]


async def test_a_newer_link_takes_the_place_of_the_older(ada, outside):
    first, second = address(), address()
    await ask(ada, first)
    older = await mailed(outside, first, "change_email")
    await ask(ada, second)
    assert await post(ada, "change-email/confirm", older) == 410
    assert await post(ada, "change-email/confirm", await mailed(outside, second, "change_email")) == 204


async def test_a_link_dies_with_its_time_and_with_another_password(ada, outside, resources):
    new = address()
    await ask(ada, new)
    token = await mailed(outside, new, "change_email")
    body = {"current_password": PASSWORD, "new_password": OTHER}
    changed = await ada.client.post(f"{AUTH}/change-password", json=body, headers=ada.headers)
    assert await post(ada, "change-email/confirm", token) == 410, "whoever asked may be out by now"
    ada.tokens = changed.json()
    await ask(ada, new)
    await resources.database["email_changes"].update_many({}, {"$set": {"expires_at": now()}})
    assert await post(ada, "change-email/confirm", await mailed(outside, new, "change_email")) == 410
    assert (await stored(resources))["email"] == ada.email


async def test_a_reset_that_was_mailed_to_the_old_address_is_dead(ada, outside):
    old = ada.email
    await ada.client.post(f"{AUTH}/request-password-reset", json={"email": old})
    await move(ada, outside, address())
    assert await set_password(ada, outside, old) == 410


async def test_the_old_address_takes_the_change_back_and_everybody_is_out(ada, outside, resources):
    old, thief = ada.email, address()
    undo = await move(ada, outside, thief)
    assert (await ask(ada, address())).status_code == 202, "the thief goes on to the next one"
    pending = (await outside.mails())[-1]["variables"]["token"]
    assert await post(ada, "change-email/undo", undo) == 204
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 401
    assert (await ada.refresh()).status_code == 401
    assert await post(ada, "change-email/confirm", pending) == 410
    user = await stored(resources)
    assert (user["email"], user["token_version"], user["password_reset_required"]) == (old, 2, True)
    assert "email_change_undone" in [m["template"] for m in await outside.mails() if m["to"] == thief]
    assert (await ada.login()).status_code == 401, "not by the thief's address"
    ada.email = old
    expired = await ada.login()
    assert (expired.status_code, expired.json()["error"]["code"]) == (403, "PASSWORD_EXPIRED")
    assert (await ada.login(password="wrong wrong wrong")).json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert await set_password(ada, outside, old) == 204, "the mail was sent at once"
    assert (await ada.login(password=OTHER)).status_code == 200
    changed = [event for event in await outside.events() if event.type == "auth.user.email_changed.v1"]
    assert [(event.data["email"], event.data["how"]) for event in changed] == [(thief, "changed"), (old, "undone")]
    assert await post(ada, "change-email/undo", undo) == 410


async def test_nobody_holds_an_account_longer_by_changing_the_address_again(ada, outside, resources):
    old = ada.email
    first, *later = [await move(ada, outside, address()) for _ in range(3)]
    assert await post(ada, "change-email/undo", first) == 204
    assert (await stored(resources))["email"] == old
    assert [await post(ada, "change-email/undo", token) for token in later] == [410, 410], "the thief's own links"
    assert (await stored(resources))["email"] == old
    assert await resources.database["email_undos"].count_documents({}) == 0


async def test_an_earlier_address_still_counts_after_a_later_one_took_its_change_back(ada, outside, resources):
    first = ada.email
    to_first = await move(ada, outside, address())
    second = ada.email
    to_second = await move(ada, outside, address())
    assert await post(ada, "change-email/undo", to_second) == 204
    assert (await stored(resources))["email"] == second
    assert await post(ada, "change-email/undo", to_first) == 204
    assert (await stored(resources))["email"] == first


async def test_taking_back_wins_against_a_change_at_the_same_time(ada, outside, resources):
    for _ in range(6):
        old = ada.email
        undo = await move(ada, outside, address())
        next_one = address()
        assert (await ask(ada, next_one)).status_code == 202
        link = await mailed(outside, next_one, "change_email")
        changed, undone = await asyncio.gather(
            post(ada, "change-email/confirm", link), post(ada, "change-email/undo", undo)
        )
        assert undone == 204
        assert changed in {204, 410}
        assert (await stored(resources))["email"] == old
        assert await resources.database["email_undos"].count_documents({}) == 0
        assert await resources.database["sessions"].count_documents({}) == 0
        ada.email = old
        assert await set_password(ada, outside, old, password := f"{new_id().hex} grows") == 204
        assert (await ada.login(password=password)).status_code == 200


async def test_a_change_can_be_taken_back_for_seven_days_and_by_one_of_five(ada, outside, resources):
    undo = await move(ada, outside, address())
    [link] = await resources.database["email_undos"].find({}).to_list()
    assert timedelta(days=6, hours=23) < link["expires_at"] - now() <= timedelta(days=7)
    await resources.database["email_undos"].update_many({}, {"$set": {"expires_at": now()}})
    assert await post(ada, "change-email/undo", undo) == 410
    later = {"$set": {"expires_at": now() + timedelta(minutes=1)}}
    await resources.database["email_undos"].update_many({}, later)
    answers = await asyncio.gather(*(post(ada, "change-email/undo", undo) for _ in range(5)))
    assert sorted(answers) == [204, 410, 410, 410, 410]
    assert (await stored(resources))["token_version"] == 2


async def test_an_old_address_that_has_an_account_of_its_own_is_left_to_it(ada, stranger, outside, resources):
    stranger.email = ada.email
    undo = await move(ada, outside, address())
    await stranger.register()
    await stranger.verify()
    refused = await ada.client.post(f"{AUTH}/change-email/undo", json={"token": undo})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).json()["email"] == ada.email
    assert await resources.database["users"].count_documents({}) == 2


async def test_a_deleted_account_leaves_no_link_and_no_place(ada, outside, resources):
    undo = await move(ada, outside, address())
    await ask(ada, new := address())
    link = await mailed(outside, new, "change_email")
    assert (await ada.client.delete(f"{AUTH}/me", headers=ada.headers)).status_code == 204
    for name in ("email_changes", "email_undos", "not_me_links", "known_places"):
        assert await resources.database[name].count_documents({}) == 0, name
    assert await post(ada, "change-email/undo", undo) == 410
    assert await post(ada, "change-email/confirm", link) == 410


@pytest.fixture
def strict(resources, monkeypatch):
    """The limits of production, counted anew."""
    from grove.web.rate_limit import RateLimiter

    limiter = RateLimiter(resources.valkey, f"auth-{new_id()}")
    monkeypatch.setattr(resources, "limiter", limiter)


async def test_one_user_asks_for_three_changes_an_hour(ada, strict):
    assert [(await ask(ada, address())).status_code for _ in range(4)] == [202, 202, 202, 429]


async def test_one_address_gets_three_mails_an_hour_whoever_asks(ada, stranger, strict):
    await stranger.register()
    await stranger.verify()
    await stranger.login()
    wanted = address()
    assert [(await ask(ada, wanted)).status_code for _ in range(2)] == [202, 202]
    assert [(await ask(stranger, wanted)).status_code for _ in range(2)] == [202, 429]


async def test_one_address_gets_three_mails_an_hour_of_each_kind(ada, stranger, strict, outside):
    await stranger.register()
    victim = {"email": stranger.email}
    for route in ("resend-verification", "request-password-reset"):
        answers = [(await ada.client.post(f"{AUTH}/{route}", json=victim)).status_code for _ in range(4)]
        assert answers == [202, 202, 202, 429], route


async def test_a_reset_is_limited_by_address_from_whatever_network(ada, stranger, strict, outside):
    answers = []
    for network in range(4):
        headers = {"X-Forwarded-For": f"198.51.{network}.9"}
        body = {"email": ada.email}
        answers.append(await ada.client.post(f"{AUTH}/request-password-reset", json=body, headers=headers))
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert len([m for m in await outside.mails() if m["template"] == "reset_password"]) == 3
