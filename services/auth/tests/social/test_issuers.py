"""What issuers do: get things wrong, renew keys, fail, say no, or answer by a form."""

import httpx2
import pytest

from grove.testing.social import BACK, OAUTH, begin, query, return_to, sign_in, walk

pytestmark = pytest.mark.integration


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
async def test_what_an_issuer_gets_wrong_opens_no_account(
    client, issuer, login, resources, misbehaviour, reason, reasons
):
    await issuer.behave(misbehaviour)
    told = await walk(client, issuer, login)
    assert told["error"] == "provider_error"
    assert misbehaviour not in told["error_description"]
    assert await resources.database["users"].count_documents({}) == 0
    assert await resources.database["oauth_codes"].count_documents({}) == 0
    assert await reasons() == [reason]
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


async def test_who_says_no_at_the_provider_comes_back_with_an_error(client, issuer, login, reasons):
    await issuer.behave(deny=True)
    assert (await walk(client, issuer, login))["error"] == "access_denied"
    assert await reasons() == ["access_denied"]


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
