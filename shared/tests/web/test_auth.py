"""Who may call what."""

import pytest

from grove.core.ids import new_id


async def test_without_a_token(client):
    answer = await client.get("/api/v1/mine")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_REQUIRED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer nonsense", "Bearer a.b.c"])
async def test_with_a_bad_one(client, header):
    answer = await client.get("/api/v1/mine", headers={"Authorization": header})
    assert answer.status_code == 401
    assert "hunter" not in answer.text


async def test_with_a_good_one(client, issuer):
    user = new_id()
    answer = await client.get("/api/v1/mine", headers=issuer.headers(user))
    assert answer.json() == {"user": str(user)}


async def test_a_missing_scope_is_named(client, issuer):
    answer = await client.get("/api/v1/admin", headers=issuer.headers())
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert 'scope="users:write"' in answer.headers["www-authenticate"]


async def test_a_revoked_session_is_refused(client, issuer, gate):
    headers = issuer.headers(sid="s1")
    assert (await client.get("/api/v1/mine", headers=headers)).status_code == 200
    gate.revoked.add("s1")
    answer = await client.get("/api/v1/mine", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_TOKEN")


async def test_a_users_limit(stopped_limits, client, issuer):
    headers = issuer.headers(new_id())
    answers = [await client.get("/api/v1/mine", headers=headers) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"mine";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"mine";r=2;')
    assert answers[3].headers["retry-after"] == "20"
    assert answers[3].json()["error"]["code"] == "RATE_LIMITED"
    other = await client.get("/api/v1/mine", headers=issuer.headers(new_id()))
    assert other.status_code == 200


async def test_strangers_are_limited_by_network(stopped_limits, client_as):
    async with client_as("spiffe://grove/traefik") as client:
        seen = [
            (await client.get("/api/v1/mine", headers={"X-Forwarded-For": "203.0.113.50"})).status_code
            for _ in range(31)
        ]
        assert seen == [401] * 30 + [429]
        elsewhere = await client.get("/api/v1/mine", headers={"X-Forwarded-For": "203.0.113.51"})
        assert elsewhere.status_code == 401


@pytest.mark.parametrize(
    ("identity", "named", "anyone"),
    [
        ("spiffe://grove/auth", 200, 200),
        ("spiffe://grove/resource", 403, 200),
        ("spiffe://grove/traefik", 403, 403),
        (None, 403, 403),
    ],
)
async def test_internal_routes_name_their_callers(client_as, identity, named, anyone):
    async with client_as(identity) as client:
        assert (await client.get("/internal/v1/named")).status_code == named
        assert (await client.get("/internal/v1/any")).status_code == anyone
        openapi = await client.get("/internal/v1/openapi.json")
        assert openapi.status_code == 403
    async with client_as("spiffe://grove/gateway") as client:
        assert "/api/v1/things" in (await client.get("/internal/v1/openapi.json")).json()["paths"]
