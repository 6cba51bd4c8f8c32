"""API keys as bearer tokens of a service: asked of auth once a minute, judged by the gate at each request."""

from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.security.api_keys import new_secret, secret_hash
from grove.web import api_keys
from grove.web.api_keys import ApiKeyVerifier, KeyAnswer, KeyBearer
from grove.web.auth import Authenticator
from grove.web.rate_limit import RateLimiter

MINE = "/api/v1/mine"


class Auth:
    """Knows some keys; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = []
        self.away = False
        self._bearers = {}

    def key(self, **changes) -> str:
        secret = new_secret()
        usual = {
            "user_id": new_id(),
            "api_key_id": str(new_id()),
            "secret_id": str(new_id()),
            "scopes": ["tasks:read"],
            "version": 1,
            "global_version": 0,
            "created_at": now(),
            "expires_at": now() + timedelta(hours=1),
        }
        self._bearers[secret_hash(secret).hex()] = KeyBearer(**usual | changes)
        return secret

    async def ask(self, question) -> KeyAnswer:
        self.asked.append(question.secret_hash)
        if self.away:
            raise UpstreamError
        return KeyAnswer(bearer=self._bearers.get(question.secret_hash))


class SecretGate:
    """Admits all but the revoked secrets."""

    def __init__(self) -> None:
        self.revoked = set()

    async def admits(self, principal) -> bool:
        return principal.token_id not in self.revoked


class NoValkey:
    async def evalsha(self, *_):
        raise ConnectionError("away")


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
def gate() -> SecretGate:
    return SecretGate()


@pytest.fixture
def verifier(auth) -> ApiKeyVerifier:
    return ApiKeyVerifier(auth.ask, RateLimiter(NoValkey(), "test"))


@pytest.fixture(autouse=True)
def taken(app, issuer, gate, verifier) -> None:
    app.state.authenticator = Authenticator(issuer.verifier(), gate, RateLimiter(NoValkey(), "test"), verifier)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_key_works_where_its_scopes_allow_and_auth_learns_its_hash_only(client, auth):
    user = new_id()
    secret = auth.key(user_id=user)
    assert (await client.get(MINE, headers=bearer(secret))).json() == {"user": str(user)}
    refused = await client.get("/api/v1/admin", headers=bearer(secret))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert auth.asked == [secret_hash(secret).hex()]


async def test_session_only_and_step_up_routes_are_closed_to_keys(client, auth, issuer):
    secret = auth.key()
    for path in ("/api/v1/account", "/api/v1/delicate"):
        refused = await client.get(path, headers=bearer(secret))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
        assert (await client.get(path, headers=issuer.headers())).status_code == 200


async def test_a_revoked_key_is_refused_though_the_answer_is_cached(client, auth, gate):
    secret = auth.key(secret_id="s1")
    assert (await client.get(MINE, headers=bearer(secret))).status_code == 200
    gate.revoked.add("s1")
    answer = await client.get(MINE, headers=bearer(secret))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_TOKEN")


async def test_an_answer_ends_with_the_key(client, auth):
    secret = auth.key(expires_at=now() - timedelta(seconds=1))
    assert (await client.get(MINE, headers=bearer(secret))).status_code == 401


async def test_a_mistyped_key_is_not_asked_about(client, auth):
    secret = auth.key()
    for wrong in (secret[:-1], secret + "a", "grv_", "grv_" + "ä" * 49):
        answer = await client.get(MINE, headers={"Authorization": f"Bearer {wrong}".encode()})
        assert answer.status_code == 401
    assert auth.asked == []


async def test_auth_away_is_borne_for_a_minute_and_then_says_so(client, auth, verifier):
    known, new = auth.key(), auth.key()
    await client.get(MINE, headers=bearer(known))
    auth.away = True
    assert (await client.get(MINE, headers=bearer(known))).status_code == 200
    answer = await client.get(MINE, headers=bearer(new))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    _age(verifier, api_keys.KNOWN_SECONDS)
    assert (await client.get(MINE, headers=bearer(known))).status_code == 503


async def test_an_unknown_key_is_asked_about_once_in_a_while(client, auth, verifier):
    secret = new_secret()
    for _ in range(5):
        assert (await client.get(MINE, headers=bearer(secret))).status_code == 401
    assert len(auth.asked) == 1
    _age(verifier, api_keys.UNKNOWN_SECONDS)
    await client.get(MINE, headers=bearer(secret))
    assert len(auth.asked) == 2


async def test_who_guesses_does_not_reach_auth_for_long_and_known_keys_go_on(stopped_limits, client_as, auth, verifier):
    async with client_as("spiffe://grove/traefik") as client:
        headers = {"X-Forwarded-For": "203.0.113.77"}
        known = auth.key()
        assert (await client.get(MINE, headers=bearer(known) | headers)).status_code == 200
        seen = [
            (await client.get(MINE, headers=bearer(new_secret()) | headers)).status_code
            for _ in range(api_keys.LOOKUP_LIMIT.amount)
        ]
        assert seen[-1] == 429
        assert len(auth.asked) == api_keys.LOOKUP_LIMIT.amount
        _age(verifier, api_keys.KNOWN_SECONDS)
        elsewhere = {"X-Forwarded-For": "203.0.113.78"}
        assert (await client.get(MINE, headers=bearer(auth.key()) | elsewhere)).status_code == 200
        assert (await client.get(MINE, headers=bearer(known) | headers)).status_code == 200


async def test_what_is_kept_is_bounded(auth, verifier, monkeypatch):
    monkeypatch.setattr(api_keys, "CACHED_KEYS", 10)
    for _ in range(30):
        await verifier.verify(auth.key())
    assert len(verifier._known) == 10


async def test_limits_are_per_user_whatever_they_sign_in_with(stopped_limits, client, auth, issuer):
    user = new_id()
    secret = auth.key(user_id=user)
    answers = [
        (await client.get(MINE, headers=headers)).status_code
        for headers in (bearer(secret), issuer.headers(user), bearer(secret), issuer.headers(user))
    ]
    assert answers == [200, 200, 200, 429]


def _age(verifier: ApiKeyVerifier, seconds: float) -> None:
    verifier._known = type(verifier._known)((key, (at - seconds, who)) for key, (at, who) in verifier._known.items())
