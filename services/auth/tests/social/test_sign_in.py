"""Sign-in through an issuer: the browser that began finishes, and an account is opened by nothing but its identity."""

import asyncio
import base64
import hashlib
import secrets
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.testing.social import AUTH, BACK, OAUTH, bearer, begin, exchange, linked, query, return_to, sign_in, walk
from grove_auth.social.repository import SocialRepository

pytestmark = pytest.mark.integration


async def test_a_new_person_gets_an_account_and_comes_back_to_it(
    client, issuer, login, outside, resources, settings, audited
):
    begun = await begin(client)
    asked = query(begun.headers["location"])
    assert asked["redirect_uri"] == f"{settings.public_auth_url}{OAUTH}/callback"
    assert asked["code_challenge_method"] == "S256"
    cookie = begun.headers["set-cookie"].lower()
    assert cookie.startswith("__host-grove_oauth=")
    for flag in ("secure", "httponly", "samesite=lax", "path=/", "max-age=600"):
        assert flag in cookie
    await issuer.person(login, name="Grace Hopper", locale="de-DE")
    tokens = await sign_in(client, issuer, login)
    assert tokens["refresh_token"]
    me = (await client.get(f"{AUTH}/me", headers=bearer(tokens))).json()
    assert (me["email"], me["email_verified"], me["roles"], me["locale"]) == (login, True, ["user"], "de")
    registered, verified, started = await outside.events()
    assert (registered.type, verified.type, started.type) == (
        "auth.user.registered.v1",
        "auth.user.verified.v1",
        "auth.session.started.v1",
    )
    assert (registered.data["name"], registered.data["email"]) == ("Grace Hopper", login)
    [session] = await resources.database["sessions"].find({}).to_list()
    assert session["amr"] == ["fed"]
    again = await sign_in(client, issuer, login)
    assert (await client.get(f"{AUTH}/me", headers=bearer(again))).json()["id"] == me["id"]
    assert await linked(client, tokens) == [login]
    [entry] = await audited("identity.linked")
    assert (entry["subject_id"], entry["detail"]) == (me["id"], {"provider": "sandbox"})


async def test_nothing_stored_finishes_a_sign_in(client, issuer, login, resources):
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    [flow] = await resources.database["oauth_flows"].find({}).to_list()
    asked, key = query(begun.headers["location"]), client.cookies["__Host-grove_oauth"]
    kept = str(flow)
    for secret in (asked["state"], asked["nonce"], asked["code_challenge"], key):
        assert secret not in kept
    came = await return_to(client, url)
    code = query(came.headers["location"])["code"]
    assert code not in str(await resources.database["oauth_codes"].find({}).to_list())
    assert set(query(came.headers["location"])) == {"code"}, "no token in an address"


async def test_the_choices_of_the_session_are_kept_on_the_way(client, issuer, login, resources):
    told = await walk(client, issuer, login, cookie="true", remember_me="true", device_name="Grace's laptop")
    answer = await exchange(client, told["code"])
    tokens = answer.json()
    assert tokens["refresh_token"] is None
    assert tokens["csrf_token"]
    assert "__Secure-grove_refresh" in answer.headers["set-cookie"]
    [session] = (await client.get(f"{AUTH}/sessions", headers=bearer(tokens))).json()["items"]
    assert session["device_name"] == "Grace's laptop"
    [stored] = await resources.database["sessions"].find({}).to_list()
    assert stored["ends_at"] - now() > timedelta(days=29)
    alone = await sign_in(client, issuer, login, refresh="false")
    assert alone["refresh_token"] is None


async def test_only_the_browser_that_began_may_finish(client, other_browser, issuer, login, resources, reasons):
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    assert (await return_to(other_browser, url)).status_code == 403
    await begin(other_browser)
    refused = await return_to(other_browser, url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert await resources.database["users"].count_documents({}) == 0
    assert await reasons() == ["browser", "browser"]
    assert "code" in query((await return_to(client, url)).headers["location"]), "who began still can"


async def test_two_tabs_of_a_browser_do_not_disturb_each_other(client, issuer, login):
    first, second = await begin(client), await begin(client)
    for begun in (first, second):
        came = await return_to(client, await issuer.visit(begun.headers["location"], login))
        assert "code" in query(came.headers["location"])


def all_read_before_any_goes_on(monkeypatch, reader: str, count: int) -> None:
    """The worst of races: each request has read before the first one changes anything."""
    read, barrier = getattr(SocialRepository, reader), asyncio.Barrier(count)

    async def read_together(self, hashed):
        found = await read(self, hashed)
        await barrier.wait()
        return found

    monkeypatch.setattr(SocialRepository, reader, read_together)


async def test_a_state_works_once_under_any_race(client, issuer, login, resources, monkeypatch):
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    all_read_before_any_goes_on(monkeypatch, "flow", 20)
    answers = await asyncio.gather(*(return_to(client, url) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 19
    assert await resources.database["oauth_codes"].count_documents({}) == 1


async def test_a_code_works_once_under_any_race(client, issuer, login, resources, monkeypatch):
    told = await walk(client, issuer, login)
    all_read_before_any_goes_on(monkeypatch, "code", 20)
    answers = await asyncio.gather(*(exchange(client, told["code"]) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 19
    assert await resources.database["sessions"].count_documents({}) == 1


async def test_states_and_codes_expire(client, issuer, login, resources):
    """Before the TTL sweep comes, too."""
    over = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    [flow] = await resources.database["oauth_flows"].find({}).to_list()
    assert timedelta(minutes=9) < flow["expires_at"] - now() <= timedelta(minutes=10)
    await resources.database["oauth_flows"].update_many({}, over)
    assert (await return_to(client, url)).status_code == 410
    told = await walk(client, issuer, login)
    [code] = await resources.database["oauth_codes"].find({}).to_list()
    assert timedelta(seconds=50) < code["expires_at"] - now() <= timedelta(seconds=60)
    await resources.database["oauth_codes"].update_many({}, over)
    assert (await exchange(client, told["code"])).status_code == 410


async def test_a_code_is_bound_to_the_secret_of_the_app(client, issuer, login):
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    bound = (await walk(client, issuer, login, code_challenge=challenge))["code"]
    assert (await exchange(client, bound)).status_code == 410
    assert (await exchange(client, bound, code_verifier="x" * 43)).status_code == 410
    assert (await exchange(client, bound, code_verifier=verifier)).status_code == 200
    free = (await walk(client, issuer, login))["code"]
    assert (await exchange(client, free, code_verifier=verifier)).status_code == 410, "no downgrade (RFC 9700 4.8.2)"


@pytest.mark.parametrize("uri", ["https://evil.test/", "https://app.test/back/", "https://app.test/back?x=1", ""])
async def test_browsers_are_sent_to_listed_addresses_only(client, ada, resources, uri):
    refused = await begin(client, redirect_uri=uri)
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, "query.redirect_uri")
    asked = await client.post(f"{OAUTH}/link", json={"redirect_uri": uri}, headers=ada.headers)
    assert (asked.status_code, asked.json()["error"]["details"][0]["field"]) == (422, "body.redirect_uri")
    assert await resources.database["oauth_flows"].count_documents({}) == 0


async def test_a_listed_address_keeps_its_query(client, issuer, login):
    told = await walk(client, issuer, login, redirect_uri="https://app.test/?page=1")
    assert told["page"] == "1"
    assert "code" in told


async def test_unknown_providers_and_states(client):
    assert (await client.get(f"{AUTH}/oauth/nobody/authorize", params={"redirect_uri": BACK})).status_code == 404
    assert (await client.get(f"{AUTH}/oauth/nobody/callback", params={"state": "x"})).status_code == 404
    assert (await client.get(f"{OAUTH}/callback", params={"state": "x", "code": "y"})).status_code == 410
    assert (await client.get(f"{OAUTH}/callback")).status_code == 422
    assert (await exchange(client, "x")).status_code == 410


async def test_an_address_never_opens_the_account_that_has_it(ada, issuer, resources):
    told = await walk(ada.client, issuer, ada.email)
    assert told["error"] == "account_exists"
    await issuer.person("other-spelling", email=ada.email.upper())
    assert (await walk(ada.client, issuer, "other-spelling"))["error"] == "account_exists"
    assert await resources.database["users"].count_documents({}) == 1
    assert await resources.database["identities"].count_documents({}) == 0


async def test_a_person_is_a_subject_whatever_the_address(client, issuer, login):
    tokens = await sign_in(client, issuer, login)
    me = (await client.get(f"{AUTH}/me", headers=bearer(tokens))).json()
    await issuer.person(login, email="elsewhere@example.com", email_verified=False)
    moved = await sign_in(client, issuer, login)
    assert (await client.get(f"{AUTH}/me", headers=bearer(moved))).json()["id"] == me["id"]
    await issuer.person("impostor", subject="somebody-else", email=login)
    assert (await walk(client, issuer, "impostor"))["error"] == "account_exists"


async def test_pending_registrations_for_the_address_are_discarded(client, stranger, issuer, resources):
    """Somebody prepared an account with a password of theirs."""
    await stranger.register()
    await sign_in(client, issuer, stranger.email)
    assert await resources.database["registrations"].count_documents({}) == 0
    assert (await stranger.verify()).status_code == 410
    assert (await stranger.login()).status_code == 401


async def test_parallel_first_sign_ins_make_one_account(client, issuer, login, resources):
    urls = []
    for _ in range(8):
        begun = await begin(client)
        urls.append(await issuer.visit(begun.headers["location"], login))
    answers = await asyncio.gather(*(return_to(client, url) for url in urls))
    assert all("code" in query(answer.headers["location"]) for answer in answers)
    assert await resources.database["users"].count_documents({}) == 1
    assert await resources.database["identities"].count_documents({}) == 1


@pytest.mark.parametrize("name", ["", "x", "Eve\u202enimda", "a" * 300])
async def test_names_follow_the_rules_of_registration(client, issuer, login, outside, name):
    await issuer.person(login, name=name)
    await sign_in(client, issuer, login)
    registered = (await outside.events())[0]
    assert registered.data["name"] == ("a" * 100 if name.startswith("aa") else "New user")


async def test_who_is_blocked_gets_no_tokens(client, issuer, login, resources):
    await sign_in(client, issuer, login)
    await resources.database["users"].update_many({}, {"$set": {"blocked_until": now() + timedelta(days=1)}})
    told = await walk(client, issuer, login)
    refused = await exchange(client, told["code"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ACCOUNT_BLOCKED")


async def test_a_code_dies_with_the_tokens_of_its_account(client, issuer, login, outside):
    """What ends all sessions ends what is about to become one."""
    await sign_in(client, issuer, login)
    told = await walk(client, issuer, login)
    await client.post(f"{AUTH}/request-password-reset", json={"email": login})
    token = (await outside.mails())[-1]["variables"]["token"]
    password = {"token": token, "new_password": "water them every evening"}
    assert (await client.post(f"{AUTH}/reset-password", json=password)).status_code == 204
    assert (await exchange(client, told["code"])).status_code == 410


async def test_a_deleted_account_leaves_no_identity(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    await client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=bearer(tokens))
    told = await walk(client, issuer, login)
    assert (await client.delete(f"{AUTH}/me", headers=bearer(tokens))).status_code == 204
    for name in ("identities", "oauth_flows", "oauth_codes"):
        assert await resources.database[name].count_documents({}) == 0
    assert (await exchange(client, told["code"])).status_code == 410
    again = await sign_in(client, issuer, login)
    assert (await client.get(f"{AUTH}/me", headers=bearer(again))).status_code == 200
