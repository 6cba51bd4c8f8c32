"""The operators' pages: who sees them, and that nothing but a good token opens them."""

from collections.abc import AsyncIterator
from html import escape

import altcha
import httpx2
import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.testing.http import client_of
from grove.testing.tokens import Issuer
from grove_gateway.main import build
from grove_gateway.operators.access import COOKIE
from grove_gateway.resources import Resources
from grove_gateway.settings import GatewaySettings
from grove_stack.pki.authority import Authority

PORTAL = "https://localhost:8443"
AUTH = "https://auth.localhost:8443"
ORIGIN = {"Origin": PORTAL}


class Auth:
    """The auth service: signs, says whether a token counts, and ends sessions."""

    def __init__(self) -> None:
        self.issuer = Issuer()
        self.ended: set[str] = set()
        self.calls: list[str] = []
        self.away = False

    def token(self, scope: str = "account:read ops:view", **claims) -> str:
        return self.issuer.token(iss=AUTH, aud=[AUTH], scope=scope, **claims)

    async def request(self, method: str, path: str, **kwargs) -> httpx2.Response:
        self.calls.append(f"{method} {path}")
        if self.away:
            raise UpstreamError("the auth service can't be reached.")
        if path == "/.well-known/jwks.json":
            return httpx2.Response(200, json=await self.issuer.jwks())
        if path == "/internal/v1/introspect":
            return httpx2.Response(200, json={"active": kwargs["json"]["session_id"] not in self.ended})
        if path == "/health/ready":
            body = {"status": "degraded", "failing": {}, "degraded": {"outbox": "waits <long>"}}
            return httpx2.Response(200, json=body)
        return httpx2.Response(204)

    async def aclose(self) -> None:
        pass


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
async def client(tmp_path, auth) -> AsyncIterator[httpx2.AsyncClient]:
    authority = Authority(tmp_path / "ca")
    authority.create("Test CA")
    authority.issue_identity("gateway", into=tmp_path / "identity.pem")
    settings = GatewaySettings(tls_identity_file=tmp_path / "identity.pem", tls_ca_file=authority.certificate_file)
    resources = Resources(settings)
    resources.clients = {"auth": auth}
    async with client_of(build(settings, resources), base_url=PORTAL) as client:
        yield client
    await resources.aclose()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **ORIGIN}


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


async def test_without_a_sign_in_the_browser_is_sent_to_it(client):
    answer = await client.get("/operator")
    assert (answer.status_code, answer.headers["location"]) == (303, "/operator/sign-in")
    page = await client.get("/operator/sign-in")
    assert page.status_code == 200
    assert f'data-auth="{AUTH}/api/v1/auth"' in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "<script>" not in page.text


async def test_the_sign_in_leads_back_to_what_was_wanted_and_nowhere_else(client):
    wanted = "/operator/dead-letters/auth/letter?queue=auth.events&id=a%20%26b"
    sent = (await client.get(wanted)).headers["location"]
    assert sent.startswith("/operator/sign-in?next=/operator/dead-letters/")
    assert f'data-wanted="{escape(wanted)}"' in (await client.get(sent)).text
    assert 'data-wanted="/operator"' in (await client.get("/operator/sign-in")).text
    for bad in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/operators",
        "/operator/\\x",
        "/",
        "javascript:x",
    ):
        assert (await client.get("/operator/sign-in", params={"next": bad})).status_code == 422, bad
    script = (await client.get("/static/operator_sign_in.js")).text
    assert "location.assign(form.dataset.wanted)" in script


async def test_the_page_solves_the_proof_of_work_that_auth_asks_for(client):
    made = altcha.create_challenge("PBKDF2/SHA-256", 10, counter=1, expires_at=now(), hmac_secret="a").to_dict()
    script = (await client.get("/static/proof.js")).text
    for name in ("algorithm", "cost", "keyLength", "keyPrefix", "nonce", "salt", "expiresAt"):
        assert name in made["parameters"]
        assert name in script
    signing_in = (await client.get("/static/operator_sign_in.js")).text
    assert 'said.error?.code !== "CAPTCHA_REQUIRED"' in signing_in


async def test_every_second_factor_can_be_chosen(client):
    script = (await client.get("/static/second_factor.js")).text
    for way in ("totp", "sms", "email", "backup_code"):
        assert f"  {way}: [" in script
    assert "{ backup_code: typed }" in script
    assert 'said.error.code === "INVALID_TOKEN"' in (await client.get("/static/operator_sign_in.js")).text


async def test_an_operator_signs_in_sees_reasons_and_signs_out(client, auth):
    token = auth.token(sid="s1")
    answer = await client.post("/operator/session", headers=bearer(token))
    assert answer.status_code == 204
    kept = answer.headers["set-cookie"]
    assert kept.startswith(f"{COOKIE}={token};")
    parts = {part.strip().split("=")[0].lower() for part in kept.split(";")[1:]}
    assert parts == {"httponly", "max-age", "path", "samesite", "secure"}
    assert "SameSite=strict" in kept
    assert "Path=/;" in kept + ";"
    assert 880 <= int(kept.split("Max-Age=")[1].split(";")[0]) <= 900
    page = await client.get("/operator", headers=cookie(token))
    assert page.status_code == 200
    assert "waits &lt;long&gt;" in page.text
    assert "no-store" in page.headers["cache-control"]
    client.cookies.clear()
    out = await client.delete("/operator/session", headers=cookie(token) | ORIGIN)
    assert out.status_code == 204
    assert f'{COOKIE}="";' in out.headers["set-cookie"]
    assert "POST /api/v1/auth/logout" in auth.calls


async def test_without_the_permission_there_is_a_page_that_says_so(client, auth):
    token = auth.token("account:read users:read")
    refused = await client.post("/operator/session", headers=bearer(token))
    assert (refused.status_code, "ops:view" in refused.json()["error"]["message"]) == (403, True)
    assert "set-cookie" not in refused.headers
    page = await client.get("/operator", headers=cookie(token))
    assert page.status_code == 403
    assert page.headers["content-type"].startswith("text/html")
    assert "ops:view" in page.text


async def test_what_is_revoked_is_refused_by_the_next_request(client, auth):
    token = auth.token(sid="s1")
    assert (await client.get("/operator", headers=cookie(token))).status_code == 200
    auth.ended.add("s1")
    assert (await client.get("/operator", headers=cookie(token))).status_code == 303
    assert (await client.post("/operator/session", headers=bearer(token))).status_code == 401


async def test_only_a_good_token_opens(client, auth):
    other = Issuer().token(iss=AUTH, aud=[AUTH], scope="ops:view")
    bad = {
        "expired": auth.token(exp=1),
        "of another key": other,
        "of another issuer": auth.issuer.token(aud=[AUTH], scope="ops:view"),
        "for others": auth.issuer.token(iss=AUTH, aud=["https://else"], scope="ops:view"),
        "another kind": auth.token(header={"typ": "JWT"}),
        "nonsense": "x",
    }
    for what, token in bad.items():
        assert (await client.get("/operator", headers=cookie(token))).status_code == 303, what
        assert (await client.post("/operator/session", headers=bearer(token))).status_code == 401, what


async def test_nothing_but_the_cookie_counts(client, auth):
    token = auth.token()
    claims = {
        "Authorization": f"Bearer {token}",
        "X-Forwarded-User": "admin",
        "X-Auth-Sub": "admin",
        "X-Auth-Scope": "ops:view",
        "X-Forwarded-Uri": "/operator/sign-in",
        "X-Forwarded-Host": "localhost",
        "X-Original-URL": "/operator/sign-in",
        "Cookie": f"grove_operator={token}",
    }
    assert (await client.get("/operator", headers=claims)).status_code == 303


async def test_no_other_page_changes_who_is_signed_in(client, auth):
    token = auth.token()
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": AUTH}):
        begun = await client.post("/operator/session", headers={"Authorization": f"Bearer {token}"} | origin)
        ended = await client.delete("/operator/session", headers=cookie(token) | origin)
        for answer in (begun, ended):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "CSRF_FAILED")
            assert "set-cookie" not in answer.headers
    assert "POST /api/v1/auth/logout" not in auth.calls
    assert (await client.post("/operator/session", headers=ORIGIN)).status_code == 401


async def test_while_auth_is_away_nobody_is_trusted(client, auth):
    token = auth.token()
    assert (await client.get("/operator", headers=cookie(token))).status_code == 200
    auth.away = True
    assert (await client.get("/operator", headers=cookie(token))).status_code == 503
    assert (await client.delete("/operator/session", headers=cookie(token) | ORIGIN)).status_code == 204
