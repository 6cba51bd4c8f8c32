"""Cookie mode: the refresh token is out of scripts' reach, and its cookie alone is worth nothing."""

import pytest

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
ORIGIN = {"Origin": "https://localhost:8443"}
REFRESH = "__Secure-grove_refresh"
CSRF = "__Host-grove_csrf"


@pytest.fixture
async def browser(ada):
    """Ada, signed in with a cookie."""
    assert (await ada.login(cookie=True)).status_code == 200
    return ada


async def by_cookie(person, **headers) -> int:
    answer = await person.client.post(f"{AUTH}/refresh", headers=ORIGIN | headers)
    return answer.status_code


async def test_the_refresh_token_is_in_a_cookie_only(ada):
    answer = await ada.login(cookie=True)
    assert answer.json()["refresh_token"] is None
    assert answer.json()["csrf_token"]
    refresh, csrf = answer.headers.get_list("set-cookie")
    assert refresh.startswith(REFRESH)
    for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/api/v1/auth", "Max-Age="):
        assert flag in refresh
    assert csrf.startswith(f"{CSRF}={answer.json()['csrf_token']}")
    assert "HttpOnly" not in csrf
    assert "Path=/;" in csrf
    assert "Secure" in csrf
    assert "Domain" not in csrf


async def test_a_refresh_rotates_the_cookie_and_keeps_the_csrf_token(browser):
    token = {"X-CSRF-Token": browser.tokens["csrf_token"]}
    for _ in range(3):
        before = browser.client.cookies[REFRESH]
        answer = await browser.client.post(f"{AUTH}/refresh", headers=ORIGIN | token)
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] is None
        assert browser.client.cookies[REFRESH] != before


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no token"),
        ({"X-CSRF-Token": "guessed"}, "another token than the cookie's"),
        ({"Origin": "https://evil.example"}, "a foreign page"),
        ({"Origin": ""}, "no page at all"),
    ],
)
async def test_the_cookie_alone_is_refused(browser, headers, why):
    token = {"X-CSRF-Token": browser.tokens["csrf_token"]}
    if "Origin" in headers:
        headers = headers | token
    before = browser.client.cookies[REFRESH]
    answer = await browser.client.post(f"{AUTH}/refresh", headers=ORIGIN | headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "CSRF_FAILED"), why
    assert browser.client.cookies[REFRESH] == before
    assert await by_cookie(browser, **token) == 200, "nothing changed"


async def test_another_sessions_csrf_token_does_not_do(browser, stranger):
    browser.client.cookies.set(CSRF, "mine", domain="auth.test", path="/")
    assert await by_cookie(browser, **{"X-CSRF-Token": "mine"}) == 403


async def test_a_planted_token_of_a_session_without_cookie_is_refused(ada):
    """An attacker's own session can't be slipped into somebody's browser."""
    ada.client.cookies.set(REFRESH, ada.tokens["refresh_token"], domain="auth.test", path="/api/v1/auth")
    ada.client.cookies.set(CSRF, "planted", domain="auth.test", path="/")
    assert await by_cookie(ada, **{"X-CSRF-Token": "planted"}) == 403
    ada.client.cookies.clear()
    assert (await ada.refresh()).status_code == 200, "nothing was spent"


async def test_the_cookies_token_in_a_body_is_refused(browser):
    token = browser.client.cookies[REFRESH]
    browser.client.cookies.clear()
    assert (await browser.refresh(token)).json()["error"]["code"] == "CSRF_FAILED"


async def test_a_changed_password_goes_on_in_the_cookie(browser):
    body = {"current_password": "plant trees not walls", "new_password": "water them every evening"}
    before = browser.client.cookies[REFRESH]
    answer = await browser.client.post(f"{AUTH}/change-password", json=body, headers=browser.headers)
    assert answer.json()["refresh_token"] is None
    assert browser.client.cookies[REFRESH] != before
    assert await by_cookie(browser, **{"X-CSRF-Token": browser.tokens["csrf_token"]}) == 200


async def test_sign_out_takes_the_cookies_away(browser):
    assert (await browser.client.post(f"{AUTH}/logout", headers=browser.headers)).status_code == 204
    assert REFRESH not in browser.client.cookies
    assert CSRF not in browser.client.cookies


async def test_a_refresh_without_any_token_is_a_401(ada):
    assert (await ada.client.post(f"{AUTH}/refresh")).status_code == 401
    assert (await ada.client.post(f"{AUTH}/refresh", json={})).status_code == 401


@pytest.mark.parametrize("origin", ["https://localhost:8443", "https://app.example"])
async def test_cors_lets_configured_origins_only(client, origin):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = await client.options(f"{AUTH}/refresh", headers=asked)
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == (origin if "localhost" in origin else None)
