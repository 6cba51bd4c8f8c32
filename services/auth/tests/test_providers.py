"""What each kind of issuer is asked, and which of its answers count. No server needed."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError

from grove.web.client import HttpClient
from grove_auth.settings import AuthSettings
from grove_auth.social.providers.configuration import ProviderSettings
from grove_auth.social.providers.github import GithubProvider
from grove_auth.social.providers.interface import Answer, Claims, ProviderMisbehaved, Question
from grove_auth.social.providers.oidc import AppleProvider, OidcProvider
from grove_auth.social.providers.registry import KINDS

QUESTION = Question(state="st", nonce="no", challenge="ch", redirect_uri="https://auth.test/back")
ANSWER = Answer(code="co", verifier="ve", nonce="no", redirect_uri="https://auth.test/back")
GITHUB = ProviderSettings(key="github", kind="github", client_id="id")
APPLE = ProviderSettings(key="apple", kind="apple", client_id="id", team_id="team", key_id="key")
ISSUER, SECRET = "https://issuer.test", "s"
OIDC = ProviderSettings(key="oidc", kind="oidc", client_id="id", issuer=ISSUER)
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
}
PRIMARY = {"email": "Ada@example.com", "primary": True, "verified": True}


class World:
    """An issuer's answers by URL, and what it was asked."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[httpx2.Request] = []
        self.client = HttpClient("issuer", httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer)), tries=1)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        found = self.answers.get(str(request.url).split("?")[0])
        if isinstance(found, httpx2.Response):
            return found
        return httpx2.Response(404) if found is None else httpx2.Response(200, json=found)

    def form(self) -> dict[str, str]:
        [posted] = [request for request in self.asked if request.method == "POST"]
        return {name: values[0] for name, values in parse_qs(posted.content.decode()).items()}


def github(**changes: object) -> World:
    return World(
        {
            "https://github.com/login/oauth/access_token": {"access_token": "at", "token_type": "bearer"},
            "https://api.github.com/user": {"id": 7, "login": "ada", "name": "Ada", "email": "shown@example.com"},
            "https://api.github.com/user/emails": [{"email": "x@example.com", "verified": True}, PRIMARY],
            **changes,
        }
    )


def of(kind: Callable[..., OidcProvider], settings: ProviderSettings, world: World, secret: str = SECRET):
    return kind(settings, world.client, lambda: secret)


async def test_github_is_asked_for_number_and_primary_address():
    world = github()
    claims = await of(GithubProvider, GITHUB, world).claims(ANSWER)
    assert claims == Claims("https://github.com", "7", "Ada@example.com", True, "Ada")
    assert world.form() == {
        "client_id": "id",
        "client_secret": "s",
        "code": "co",
        "redirect_uri": "https://auth.test/back",
        "code_verifier": "ve",
    }
    assert world.asked[1].headers["authorization"] == "Bearer at"


@pytest.mark.parametrize("emails", [[], [PRIMARY | {"verified": False}], [PRIMARY | {"primary": False}], ["text"]])
async def test_github_without_a_verified_primary_address(emails):
    world = github(**{"https://api.github.com/user/emails": emails})
    assert not (await of(GithubProvider, GITHUB, world).claims(ANSWER)).email_verified


@pytest.mark.parametrize(
    "answers",
    [
        {"https://github.com/login/oauth/access_token": {"error": "bad_verification_code"}},
        {
            "https://github.com/login/oauth/access_token": httpx2.Response(
                302, headers={"Location": "https://evil.test"}
            )
        },
        {"https://api.github.com/user": {"id": "7"}},
        {"https://api.github.com/user": {"id": True}},
        {"https://api.github.com/user": []},
        {"https://api.github.com/user/emails": {"message": "Not Found"}},
        {"https://api.github.com/user/emails": httpx2.Response(200, content=b"[" * 100_000)},
    ],
)
async def test_what_github_may_not_answer(answers):
    world = github(**answers)
    with pytest.raises(ProviderMisbehaved):
        await of(GithubProvider, GITHUB, world).claims(ANSWER)
    assert not any("evil" in str(request.url) for request in world.asked), "redirects are not followed"


async def test_github_gets_pkce_and_names_itself_rightly():
    provider = of(GithubProvider, GITHUB, github())
    url = await provider.authorization_url(QUESTION)
    asked = parse_qs(urlsplit(url).query)
    assert (asked["code_challenge"], asked["code_challenge_method"], asked["state"]) == (["ch"], ["S256"], ["st"])
    await provider.check_issuer(None)
    with pytest.raises(ProviderMisbehaved):
        await provider.check_issuer("https://evil.test")


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://issuer.test/"},
        {"issuer": "https://other.test"},
        {"token_endpoint": "http://issuer.test/token"},
        {"jwks_uri": "ftp://issuer.test"},
        {"jwks_uri": "http://127.0.0.1/jwks"},
        {"authorization_endpoint": None},
        {"userinfo_endpoint": "http://issuer.test/userinfo"},
    ],
)
async def test_metadata_of_another_issuer_or_without_tls_are_refused(changes):
    world = World({f"{ISSUER}/.well-known/openid-configuration": METADATA | changes})
    with pytest.raises(ProviderMisbehaved, match="discovery"):
        await of(OidcProvider, OIDC, world).authorization_url(QUESTION)


async def test_the_endpoint_keeps_its_query_and_metadata_are_fetched_once():
    world = World({f"{ISSUER}/.well-known/openid-configuration": METADATA})
    provider = of(OidcProvider, OIDC, world)
    for _ in range(3):
        url = await provider.authorization_url(QUESTION)
    asked = parse_qs(urlsplit(url).query)
    assert (asked["tenant"], asked["nonce"], asked["scope"]) == (["1"], ["no"], ["openid email profile"])
    assert len(world.asked) == 1


async def test_apple_gets_a_secret_that_lives_for_minutes_and_tells_verified_as_text():
    key, team = ECKey.generate_key("P-256", {"kid": "k"}), ECKey.generate_key("P-256")
    claims = {
        "iss": "https://appleid.apple.com",
        "aud": "id",
        "sub": "001.a",
        "iat": 1_700_000_000,
        "exp": 4_000_000_000,
        "nonce": "no",
        "email": "ada@example.com",
        "email_verified": "true",
    }
    host = "https://appleid.apple.com"
    world = World(
        {
            f"{host}/.well-known/openid-configuration": {
                "issuer": host,
                "authorization_endpoint": f"{host}/auth/authorize",
                "token_endpoint": f"{host}/auth/token",
                "jwks_uri": f"{host}/auth/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            },
            f"{host}/auth/keys": {"keys": [{"kty": "EC"}, key.as_dict(private=False)]},
            f"{host}/auth/token": {
                "access_token": "at",
                "id_token": jwt.encode({"alg": "ES256", "kid": "k"}, claims, key, algorithms=["ES256"]),
            },
        }
    )
    provider = of(AppleProvider, APPLE, world, team.as_pem(private=True).decode())
    assert "response_mode=form_post" in await provider.authorization_url(QUESTION)
    assert (await provider.claims(ANSWER)).email_verified is True
    secret = jwt.decode(world.form()["client_secret"], team, algorithms=["ES256"])
    assert secret.header["kid"] == "key"
    assert (secret.claims["iss"], secret.claims["sub"], secret.claims["aud"]) == ("team", "id", host)
    assert secret.claims["exp"] - secret.claims["iat"] <= 300
    assert "authorization" not in {name.lower() for request in world.asked for name in request.headers}


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "é"},
        {"sub": 7},
        {"sub": None},
        {"aud": []},
        {"aud": ["id", "other"]},
        {"exp": "soon"},
        {"iat": None},
        {"nonce": ["no"]},
        {"nonce": ""},
    ],
)
async def test_claims_that_are_not_acceptable(changes):
    key = ECKey.generate_key("P-256", {"kid": "k"})
    claims = {"iss": ISSUER, "aud": "id", "sub": "s", "iat": 1_700_000_000, "exp": 4_000_000_000, "nonce": "no"}
    good = {"id_token": jwt.encode({"alg": "ES256", "kid": "k"}, claims, key, algorithms=["ES256"])}
    bad = {"id_token": jwt.encode({"alg": "ES256", "kid": "k"}, claims | changes, key, algorithms=["ES256"])}
    answers = {
        f"{ISSUER}/.well-known/openid-configuration": METADATA,
        f"{ISSUER}/jwks": {"keys": [key.as_dict(private=False)]},
    }
    assert (await of(OidcProvider, OIDC, World(answers | {f"{ISSUER}/token": good})).claims(ANSWER)).subject == "s"
    with pytest.raises(ProviderMisbehaved):
        await of(OidcProvider, OIDC, World(answers | {f"{ISSUER}/token": bad})).claims(ANSWER)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 20_000, None, 7])
async def test_what_is_no_token(token):
    answers = {
        f"{ISSUER}/.well-known/openid-configuration": METADATA,
        f"{ISSUER}/jwks": {"keys": []},
        f"{ISSUER}/token": {"id_token": token},
    }
    with pytest.raises(ProviderMisbehaved, match="id_token"):
        await of(OidcProvider, OIDC, World(answers)).claims(ANSWER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "Up", "kind": "google", "client_id": "x"},
        {"key": "../x", "kind": "google", "client_id": "x"},
        {"key": "x", "kind": "oidc", "client_id": "x"},
        {"key": "x", "kind": "oidc", "client_id": "x", "issuer": "http://issuer.test"},
        {"key": "x", "kind": "apple", "client_id": "x"},
        {"key": "x", "kind": "other", "client_id": "x"},
        {"key": "x", "kind": "google", "client_id": "x", "client_secret": "never here"},  # pragma: allowlist secret
    ],
)
def test_providers_that_are_not_usable(wrong):
    with pytest.raises(ValidationError):
        ProviderSettings(**wrong)


def test_settings_name_what_is_missing(tmp_path):
    for name in AuthSettings.required_secrets:
        (tmp_path / name).write_text("value")
    google = {"key": "google", "kind": "google", "client_id": "x"}
    for changes, message in (
        ({"oauth_providers": [google]}, "oauth_google_client_secret"),
        ({"oauth_providers": [google, google]}, "same key"),
        ({"oauth_redirect_uris": ["https://app.test/#x"]}, "fragment"),
        ({"oauth_redirect_uris": ["/back"]}, "absolute"),
    ):
        with pytest.raises(ValidationError, match=message):
            AuthSettings(secrets_dir=tmp_path, _env_file=None, **changes)
    (tmp_path / "oauth_google_client_secret").write_text("value")
    settings = AuthSettings(secrets_dir=tmp_path, _env_file=None, oauth_providers=json.loads(json.dumps([google])))
    assert settings.oauth_providers[0].issuer_url == "https://accounts.google.com"
    assert set(KINDS) == {"oidc", "google", "apple", "github"}
