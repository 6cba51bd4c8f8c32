"""The limits of the contract: how much they allow, and what each is counted by."""

import secrets

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"
WRONG = "guess a tree or two"


def network() -> dict[str, str]:
    """The headers of a client in a network of its own."""
    return {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


async def sign_in(client, place: dict, email: str) -> dict:
    """A new session's tokens."""
    answer = await client.post(f"{AUTH}/login", json={"email": email, "password": PASSWORD}, headers=place)
    return answer.json()


async def test_refreshes_are_limited_by_session_though_each_token_is_new(stopped_limits, replica, ada):
    async with await replica(limits="production") as client:
        tokens = [(await sign_in(client, network(), ada.email))["refresh_token"] for _ in range(2)]
        statuses = []
        for _ in range(31):
            answer = await client.post(f"{AUTH}/refresh", json={"refresh_token": tokens[0]}, headers=network())
            statuses.append(answer.status_code)
            tokens[0] = answer.json().get("refresh_token", tokens[0])
        assert statuses == [200] * 30 + [429]
        assert answer.headers["ratelimit-policy"] == '"refresh";q=30;w=60'
        other = await client.post(f"{AUTH}/refresh", json={"refresh_token": tokens[1]}, headers=network())
        assert other.status_code == 200, "another session of the same user"


async def test_tokens_of_no_session_are_limited_by_network(stopped_limits, replica):
    place = network()
    async with await replica(limits="production") as client:
        statuses = [
            (await client.post(f"{AUTH}/refresh", json={"refresh_token": f"no{n}"}, headers=place)).status_code
            for n in range(31)
        ]
        assert statuses == [401] * 30 + [429]


ACCOUNT = {"password": PASSWORD, "name": "Ada"}


def a_new_one() -> str:
    """An address that nobody used."""
    return f"{secrets.token_hex(6)}@example.com"


@pytest.mark.parametrize(
    ("method", "route", "body", "policy", "by_network", "by_address"),
    [
        ("POST", "login", {"password": WRONG}, '"login";q=5;w=60', True, True),
        ("POST", "register", ACCOUNT, '"register";q=3;w=3600', True, False),
        ("POST", "request-password-reset", {}, '"password-reset";q=3;w=3600', True, False),
        ("POST", "resend-verification", {}, '"resend";q=3;w=3600', False, True),
        ("GET", "captcha/challenge", None, '"anonymous";q=30;w=60', True, False),
        ("POST", "verify-email", {"token": "none"}, '"anonymous";q=30;w=60', True, False),
        ("POST", "reset-password", {"token": "none", "new_password": OTHER}, '"anonymous";q=30;w=60', True, False),
    ],
)
async def test_strangers_limits_are_those_of_the_contract(
    stopped_limits, replica, method, route, body, policy, by_network, by_address
):
    """`by_network`, `by_address`: what a bucket belongs to."""
    place, email = network(), a_new_one()

    async def call(place: dict, email: str):
        json_body = body if body is None or "token" in body else body | {"email": email}
        return await client.request(method, f"{AUTH}/{route}", json=json_body, headers=place)

    async with await replica(limits="production", captcha_difficulty=2) as client:
        amount = int(policy.split("q=")[1].split(";")[0])
        answers = [await call(place, email if by_address else a_new_one()) for _ in range(amount + 1)]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {policy}
        assert [answer.status_code == 429 for answer in answers] == [False] * amount + [True]
        assert answers[-1].headers["retry-after"]
        assert ((await call(network(), email)).status_code == 429) is not by_network
        other_address = await call(place, a_new_one())
        assert (other_address.status_code == 429) is not by_address


@pytest.mark.parametrize(
    ("route", "policy"), [("sessions", '"sessions";q=20;w=60'), ("me", '"user";q=100;w=60'), ("logout", '"sessions"')]
)
async def test_limits_of_who_is_signed_in_are_those_of_the_contract(replica, ada, route, policy):
    async with await replica(limits="production") as client:
        method = "POST" if route == "logout" else "GET"
        answer = await client.request(method, f"{AUTH}/{route}", headers=ada.headers)
        assert answer.headers["ratelimit-policy"].startswith(policy)
