import base64
import json
import time
from types import SimpleNamespace

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.core.ids import new_id
from grove.security.tokens import KeyCache, TokenVerifier
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer


async def test_a_good_token_names_its_bearer():
    issuer, user = Issuer(), new_id()
    verifier = issuer.verifier()
    principal = await verifier.verify(issuer.token(user, scope="tasks:read"))
    assert principal.user_id == user
    assert principal.has("tasks:read")
    assert not principal.has("tasks:write")


async def test_a_repeated_token_costs_no_second_check():
    issuer = Issuer()
    verifier, token = issuer.verifier(), issuer.token()
    first = await verifier.verify(token)
    assert await verifier.verify(token) is first
    assert issuer.fetches == 1


async def test_a_known_token_still_expires(monkeypatch):
    issuer = Issuer()
    verifier = issuer.verifier()
    expires = int(time.time()) + 60
    token = issuer.token(exp=expires)
    await verifier.verify(token)
    clock = SimpleNamespace(time=lambda: expires, monotonic=time.monotonic)
    monkeypatch.setattr("grove.security.tokens.time", clock)
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"header": {"typ": "JWT"}},
        {"header": {"kid": None}},
        {"iss": "https://evil.test"},
        {"aud": "https://other.test"},
        {"exp": 1},
        {"sub": None},
        {"sub": "no-uuid"},
        {"sid": None},
        {"ver": None},
        {"exp": None},
        {"jti": None},
        {"auth_time": "yesterday"},
    ],
)
async def test_a_token_that_is_wrong_anywhere_is_refused(claims):
    issuer = Issuer()
    with pytest.raises(InvalidToken):
        await issuer.verifier().verify(issuer.token(**claims))


async def test_other_keys_algorithms_and_nonsense_are_refused():
    issuer, stranger = Issuer(), Issuer()
    verifier = issuer.verifier()
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).decode().rstrip("=")
    body = issuer.token().split(".")[1]
    hmac = jwt.encode(
        {"alg": "HS256", "typ": "at+jwt", "kid": issuer.key.kid},
        {"iss": ISSUER, "aud": AUDIENCE},
        OctKey.import_key("k" * 40),
        algorithms=["HS256"],
    )
    for token in (f"{header}.{body}.", stranger.token(), hmac, "a.b.c", "", "x" * 5000, issuer.token()[:-4] + "AAAA"):
        with pytest.raises(InvalidToken):
            await verifier.verify(token)


async def test_unknown_keys_do_not_flood_auth():
    issuer, stranger = Issuer(), Issuer()
    cache = KeyCache(issuer.jwks, cooldown_seconds=3600)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    await verifier.verify(issuer.token())
    cache._asked_for_unknown -= 3600
    for _ in range(20):
        with pytest.raises(InvalidToken):
            await verifier.verify(stranger.token())
    assert issuer.fetches == 2


async def test_a_key_that_was_published_meanwhile_is_found_at_once():
    """Whatever was fetched a moment ago: only fetches for unknown keys wait."""
    old, new = Issuer(), Issuer()
    published = [old]

    async def fetch():
        return {"keys": [key for issuer in published for key in (await issuer.jwks())["keys"]]}

    cache = KeyCache(fetch)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    await verifier.verify(old.token())
    cache._asked_for_unknown -= 2
    published.append(new)
    await verifier.verify(new.token())
    await verifier.verify(old.token())


async def test_a_change_that_was_announced_does_not_wait():
    old, new = Issuer(), Issuer()
    published = [old]

    async def fetch():
        return await published[0].jwks()

    cache = KeyCache(fetch, cooldown_seconds=3600)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    token = old.token()
    await verifier.verify(token)
    with pytest.raises(InvalidToken):
        await verifier.verify(new.token())
    published[0] = new
    with pytest.raises(InvalidToken):
        await verifier.verify(new.token())
    cache.expect_change()
    await verifier.verify(new.token())
    with pytest.raises(InvalidToken):
        await verifier.verify(token)  # though it was verified before: its key was withdrawn
    assert old.fetches + new.fetches == 2


async def test_an_unknown_key_while_auth_is_away_is_no_bad_token():
    issuer, other, away = Issuer(), Issuer(), False

    async def fetch():
        if away:
            raise ConnectionError("auth is away")
        return await issuer.jwks()

    cache = KeyCache(fetch)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    await verifier.verify(issuer.token())
    away = True
    cache._asked_for_unknown -= 2
    with pytest.raises(ServiceUnavailable):
        await verifier.verify(other.token())


async def test_a_token_names_the_key_that_signed_it():
    issuer = Issuer()
    assert (await issuer.verifier().verify(issuer.token())).signing_key_id == issuer.key.kid


async def test_without_keys_nothing_can_be_checked_and_old_keys_bridge_an_absence():
    issuer = Issuer()
    away = True

    async def fetch():
        if away:
            raise ConnectionError("auth is away")
        return await issuer.jwks()

    cache = KeyCache(fetch)
    verifier = TokenVerifier(cache, issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(ServiceUnavailable):
        await verifier.verify(issuer.token())
    away = False
    await verifier.verify(issuer.token())
    away = True
    cache._fetched -= 1000
    await verifier.verify(issuer.token())
