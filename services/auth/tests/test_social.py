"""Sign-in through an issuer: the browser that began finishes, and only what the issuer proves counts."""

import asyncio
import base64
import hashlib
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.http import client_of
from grove_auth.main import build
from grove_auth.social.repository import SocialRepository

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
OAUTH = f"{AUTH}/oauth/sandbox"
BACK = "https://app.test/back"
PUBLIC = "https://auth.localhost"


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Issuer:
    """The sandbox, told how to behave."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def behave(self, *wrong: str, **conduct) -> None:
        answer = await self.http.put("/control/issuer", json={"wrong": wrong, **conduct})
        assert answer.status_code == 204, answer.text

    async def person(self, login: str, **changes) -> None:
        body = {"subject": f"person-{login}", "email": login, "name": "Grace"} | changes
        answer = await self.http.put(f"/control/issuer/people/{login}", json=body)
        assert answer.status_code == 204, answer.text

    async def fault(self, path: str, **fault) -> None:
        await self.http.post("/control/faults", json={"path": path, "times": 10, **fault})

    async def visit(self, url: str, login: str) -> str:
        """Open an authorization URL as that person; where the issuer sends the browser back."""
        answer = await self.http.get(url, params=httpx2.QueryParams(urlsplit(url).query).set("login_hint", login))
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


@pytest.fixture
async def issuer(sandbox, resources):
    async with httpx2.AsyncClient(base_url=sandbox) as http:
        yield Issuer(http)
        await http.put("/control/issuer", json={})
        await http.delete("/control/faults")
    resources.providers.get("sandbox")._client._breaker.succeeded()


@pytest.fixture
async def other_browser(settings, resources):
    async with client_of(build(settings, resources), base_url="https://auth.test") as client:
        yield client


@pytest.fixture
def login() -> str:
    return f"{new_id().hex[-10:]}@example.com"


async def begin(client, **changes) -> httpx2.Response:
    return await client.get(f"{OAUTH}/authorize", params={"redirect_uri": BACK} | changes)


async def return_to(client, url: str) -> httpx2.Response:
    parts = urlsplit(url)
    return await client.get(f"{parts.path}?{parts.query}")


async def walk(client, issuer, login: str, **changes) -> dict[str, str]:
    """Begin, consent, come back; what the app is told."""
    begun = await begin(client, **changes)
    assert begun.status_code == 303, begun.text
    came = await return_to(client, await issuer.visit(begun.headers["location"], login))
    assert came.status_code == 303, came.text
    assert came.headers["location"].startswith(changes.get("redirect_uri", BACK))
    return query(came.headers["location"])


async def exchange(client, code: str, **changes) -> httpx2.Response:
    return await client.post(f"{AUTH}/oauth/exchange", json={"code": code} | changes)


async def sign_in(client, issuer, login: str, **changes) -> dict:
    told = await walk(client, issuer, login, **changes)
    answer = await exchange(client, told["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(tokens: dict) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def link(ada, issuer, login: str, **changes) -> dict[str, str]:
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    assert answer.status_code == 200, answer.text
    came = await return_to(ada.client, await issuer.visit(answer.json()["authorization_url"], login))
    assert came.status_code == 303, came.text
    return query(came.headers["location"])


async def linked(client, tokens: dict) -> list[str]:
    answer = await client.get(f"{AUTH}/identities", headers=bearer(tokens))
    assert answer.status_code == 200, answer.text
    return [item["email"] for item in answer.json()["items"]]


async def audited(resources, action: str) -> list[dict]:
    found = await resources.audit_database["audit_events"].find({"action": action}).sort("_id", 1).to_list()
    return [document["entry"] for document in found]


async def reasons(resources) -> list[str]:
    return [entry["detail"]["reason"] for entry in await audited(resources, "social.failed")]


async def test_a_new_person_gets_an_account_and_comes_back_to_it(client, issuer, login, outside, resources, settings):
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
    [entry] = await audited(resources, "identity.linked")
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


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        ("nonce", "nonce"),
        ("no_nonce", "nonce"),
        ("issuer", "id_token_claims"),
        ("audience", "id_token_claims"),
        ("authorized_party", "id_token_claims"),
        ("expired", "id_token_claims"),
        ("future", "id_token_claims"),
        ("alg_none", "id_token_signature"),
        ("secret_as_key", "id_token_signature"),
        ("key", "id_token_signature"),
        ("issuer_of_answer", "issuer_of_answer"),
        ("userinfo_subject", "userinfo"),
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_what_an_issuer_gets_wrong_opens_no_account(client, issuer, login, resources, misbehaviour, reason):
    await issuer.behave(misbehaviour)
    told = await walk(client, issuer, login)
    assert told["error"] == "provider_error"
    assert misbehaviour not in told["error_description"]
    assert await resources.database["users"].count_documents({}) == 0
    assert await resources.database["oauth_codes"].count_documents({}) == 0
    assert await reasons(resources) == [reason]
    await issuer.behave()
    assert "code" in await walk(client, issuer, login)


async def test_an_address_that_only_userinfo_tells_counts(client, issuer, login):
    await issuer.behave("email_in_userinfo")
    assert (await sign_in(client, issuer, login))["access_token"]


async def test_a_code_of_the_issuer_replayed_is_of_no_use(client, issuer, login, resources):
    """The issuer takes codes twice; the state does not come twice."""
    await issuer.behave("code_replay")
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    assert "code" in query((await return_to(client, url)).headers["location"])
    assert (await return_to(client, url)).status_code == 410
    fresh = query((await begin(client)).headers["location"])["state"]
    stolen = httpx2.URL(url).copy_set_param("state", fresh)
    told = query((await return_to(client, str(stolen))).headers["location"])
    assert told["error"] == "provider_error", "another sign-in has another verifier and nonce"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_new_keys_of_the_issuer_are_fetched_once(client, issuer, login, algorithm):
    await sign_in(client, issuer, login)
    await issuer.http.post("/control/issuer/keys", params={"algorithm": algorithm})
    before = (await issuer.http.get("/control/issuer/keys")).json()
    await sign_in(client, issuer, login)
    await sign_in(client, issuer, login)
    assert (await issuer.http.get("/control/issuer/keys")).json() == before + 1
    await issuer.behave("key")
    await walk(client, issuer, login)
    assert (await issuer.http.get("/control/issuer/keys")).json() == before + 1, "a bad signature fetches nothing"


async def test_only_the_browser_that_began_may_finish(client, other_browser, issuer, login, resources):
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    assert (await return_to(other_browser, url)).status_code == 403
    await begin(other_browser)
    refused = await return_to(other_browser, url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert await resources.database["users"].count_documents({}) == 0
    assert await reasons(resources) == ["browser", "browser"]
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


async def test_who_says_no_at_the_provider_comes_back_with_an_error(client, issuer, login, resources):
    await issuer.behave(deny=True)
    assert (await walk(client, issuer, login))["error"] == "access_denied"
    assert await reasons(resources) == ["access_denied"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"delay_seconds": 1.5}])
async def test_a_provider_that_fails_is_unavailable(client, issuer, login, resources, fault):
    begun = await begin(client)
    url = await issuer.visit(begun.headers["location"], login)
    await issuer.fault("/oidc/token", **fault)
    told = query((await return_to(client, url)).headers["location"])
    assert told["error"] == "temporarily_unavailable"
    assert await resources.database["users"].count_documents({}) == 0


async def test_a_provider_that_is_away_from_the_start(client, ada, issuer, login, resources):
    provider = resources.providers.get("sandbox")
    provider._found = {}
    await issuer.fault("/oidc/.well-known", status=500)
    assert query((await begin(client)).headers["location"])["error"] == "temporarily_unavailable"
    provider._client._breaker.succeeded()
    asked = await client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    assert (asked.status_code, asked.json()["error"]["code"]) == (502, "UPSTREAM_ERROR")
    assert await resources.database["oauth_flows"].count_documents({}) == 0


@pytest.mark.parametrize("changes", [{"email_verified": False}, {"email": None}, {"email": "no address"}])
async def test_without_a_verified_address_there_is_no_account(client, issuer, login, resources, changes):
    await issuer.person(login, **changes)
    assert (await walk(client, issuer, login))["error"] == "email_not_verified"
    assert await resources.database["users"].count_documents({}) == 0


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


async def test_a_linked_provider_opens_the_account(ada, issuer, login, resources):
    assert await link(ada, issuer, login) == {"linked": "sandbox"}
    assert await link(ada, issuer, login) == {"linked": "sandbox"}, "again changes nothing"
    tokens = await sign_in(ada.client, issuer, login)
    me = (await ada.client.get(f"{AUTH}/me", headers=bearer(tokens))).json()
    assert me["email"] == ada.email
    assert await linked(ada.client, tokens) == [login]
    [entry] = await audited(resources, "identity.linked")
    assert entry["subject_id"] == me["id"]
    assert (await link(ada, issuer, f"another-{login}"))["error"] == "already_linked"


async def test_linking_needs_a_recent_sign_in(ada, issuer, resources):
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    assert (await ada.refresh()).status_code == 200
    tokens = (await ada.refresh()).json()
    for method, path in (("POST", f"{OAUTH}/link"), ("DELETE", f"{AUTH}/identities/sandbox")):
        body = {"json": {"redirect_uri": BACK}} if method == "POST" else {}
        refused = await ada.client.request(method, path, headers=bearer(tokens), **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    assert (await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK})).status_code == 401


async def test_linking_is_finished_by_the_same_browser(ada, other_browser, issuer, login, resources):
    """Nobody can have a victim link the attacker's identity, or the other way round."""
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    url = await issuer.visit(answer.json()["authorization_url"], login)
    await begin(other_browser)
    assert (await return_to(other_browser, url)).status_code == 403
    assert await resources.database["identities"].count_documents({}) == 0


@pytest.mark.parametrize("how", ["logout", "sessions/all"])
async def test_linking_ends_with_the_session_that_began_it(ada, issuer, login, resources, how):
    answer = await ada.client.post(f"{OAUTH}/link", json={"redirect_uri": BACK}, headers=ada.headers)
    url = await issuer.visit(answer.json()["authorization_url"], login)
    ended = await ada.client.request("POST" if how == "logout" else "DELETE", f"{AUTH}/{how}", headers=ada.headers)
    assert ended.status_code == 204
    told = query((await return_to(ada.client, url)).headers["location"])
    assert told["error"] == "session_ended"
    assert await resources.database["identities"].count_documents({}) == 0


async def test_an_identity_opens_one_account_only(ada, client, issuer, login):
    await sign_in(client, issuer, login)
    assert (await link(ada, issuer, login))["error"] == "identity_taken"
    await issuer.person("unverified", email="u@example.com", email_verified=False)
    assert (await link(ada, issuer, "unverified"))["error"] == "email_not_verified"


async def test_the_last_way_in_stays(client, issuer, login, resources, outside):
    tokens = await sign_in(client, issuer, login)
    refused = await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert await linked(client, tokens) == [login]
    await client.post(f"{AUTH}/request-password-reset", json={"email": login})
    token = (await outside.mails())[-1]["variables"]["token"]
    password = {"token": token, "new_password": "water them every evening"}
    assert (await client.post(f"{AUTH}/reset-password", json=password)).status_code == 204
    tokens = await sign_in(client, issuer, login)
    waiting = (await walk(client, issuer, login))["code"]
    assert (await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))).status_code == 204
    assert (await client.delete(f"{AUTH}/identities/sandbox", headers=bearer(tokens))).status_code == 204
    assert await linked(client, tokens) == []
    assert (await exchange(client, waiting)).status_code == 410, "a code that the identity opened is dead too"
    assert len(await audited(resources, "identity.unlinked")) == 1
    assert (await walk(client, issuer, login))["error"] == "account_exists"


async def test_two_ways_taken_away_at_once_leave_one(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    [identity] = await resources.database["identities"].find({}).to_list()
    for _ in range(5):
        await resources.database["identities"].delete_many({})
        for provider in ("sandbox", "other"):
            copy = {**identity, "_id": new_id(), "provider": provider, "subject": provider}
            await resources.database["identities"].insert_one(copy)
        answers = await asyncio.gather(
            *(client.delete(f"{AUTH}/identities/{name}", headers=bearer(tokens)) for name in ("sandbox", "other"))
        )
        assert sorted(answer.status_code for answer in answers) == [204, 400]
        assert await resources.database["identities"].count_documents({}) == 1


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


async def test_an_answer_posted_from_another_site_is_sent_round_again(client, other_browser, issuer, login, settings):
    """A cross-site POST brings no cookies; the navigation that follows it does."""
    begun = await begin(client)
    came = query(await issuer.visit(begun.headers["location"], login))
    user = '{"name": {"firstName": "Grace", "lastName": "Hopper"}, "email": "not@read.example"}'
    form = came | {"user": user, "session_state": "of no use"}
    posted = await other_browser.post(f"{OAUTH}/callback", data=form)  # without the cookie
    assert posted.status_code == 303
    assert posted.headers["location"].startswith(f"{settings.public_auth_url}{OAUTH}/callback?")
    assert query(posted.headers["location"]) == came, "and no name in an address"
    assert (await return_to(other_browser, posted.headers["location"])).status_code == 403
    done = await return_to(client, posted.headers["location"])
    assert "code" in query(done.headers["location"])


@pytest.mark.parametrize("body", [b"", b"\xff", b"&".join(b"a%d=1" % n for n in range(30)), b"state=" + b"x" * 300])
async def test_a_form_that_is_none_is_refused(client, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post(f"{OAUTH}/callback", content=body, headers=headers)).status_code == 422


async def prove_again(client, issuer, tokens: dict, login: str) -> dict[str, str]:
    """Prove at the issuer who it is, for the session of `tokens`; what the app is told."""
    asked = await client.post(f"{OAUTH}/reauthenticate", json={"redirect_uri": BACK}, headers=bearer(tokens))
    assert asked.status_code == 200, asked.text
    url = asked.json()["authorization_url"]
    assert (query(url)["prompt"], query(url)["max_age"]) == ("login", "0")
    return query((await return_to(client, await issuer.visit(url, login))).headers["location"])


async def test_who_has_no_password_proves_at_the_issuer_that_it_is_them(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    other = await sign_in(client, issuer, login)
    await resources.database["sessions"].update_many({}, {"$set": {"auth_time": now() - timedelta(minutes=6)}})
    old = (await client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    assert (await client.delete(f"{AUTH}/me", headers=bearer(old))).status_code == 401
    code = (await prove_again(client, issuer, old, login))["code"]
    assert (await exchange(client, code)).status_code == 410, "it is a proof, not a sign-in"
    proof = {"provider_code": code}
    elsewhere = await client.post(f"{AUTH}/reauthenticate", json=proof, headers=bearer(other))
    assert elsewhere.status_code == 401, "it proves to the session that asked"
    answers = await asyncio.gather(
        *(client.post(f"{AUTH}/reauthenticate", json=proof, headers=bearer(old)) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4
    fresh = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await client.delete(f"{AUTH}/me", headers=bearer(fresh))).status_code == 204


async def test_what_does_not_prove_that_it_is_you(client, issuer, login, resources):
    tokens = await sign_in(client, issuer, login)
    await issuer.behave("stale")
    assert (await prove_again(client, issuer, tokens, login))["error"] == "provider_error"
    await issuer.behave()
    assert (await prove_again(client, issuer, tokens, f"another-{login}"))["error"] == "identity_not_linked"
    assert await reasons(resources) == ["auth_time", "identity_not_linked"]
    signed_in = (await walk(client, issuer, login))["code"]
    for body, status in (
        ({"provider_code": signed_in}, 401),
        ({"provider_code": "x"}, 401),
        ({}, 422),
        ({"password": "p", "provider_code": "x"}, 422),
    ):
        answer = await client.post(f"{AUTH}/reauthenticate", json=body, headers=bearer(tokens))
        assert answer.status_code == status, body
    assert await resources.database["users"].count_documents({}) == 1
