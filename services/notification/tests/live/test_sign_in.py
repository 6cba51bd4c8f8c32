"""Who may connect, and how they say who they are."""

import asyncio

import pytest

from grove.core.ids import new_id

pytestmark = pytest.mark.integration
TICKETS = "/api/v1/notifications/stream-tickets"


@pytest.fixture
def ticket(client, issuer):
    async def ticket(user=None, **claims) -> str:
        answer = await client.post(TICKETS, headers=issuer.headers(user, **claims))
        assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
        return answer.json()["ticket"]

    return ticket


async def test_the_token_may_come_as_a_subprotocol(replica, over_sockets, issuer, make):
    me = new_id()
    offered = ["grove.v1", f"bearer.{issuer.token(me)}"]
    async with over_sockets(replica.url, subprotocols=offered) as client:
        assert client.socket.subprotocol == "grove.v1"
        await make(me, "A")
        assert await client.titles(1) == ["A"]


async def test_a_ticket_is_its_user_once_on_any_replica(replica, start, connect, refusal, ticket, make):
    me = new_id()
    other = await start()
    mine = {"ticket": await ticket(me)}
    async with connect(other.url, query=mine) as client:
        await client.frame("unread_count")
        await make(me, "A")
        assert await client.titles(1) == ["A"]
    status, error, headers = await refusal(replica.url, query=mine)
    assert (status, error["code"]) == (401, "INVALID_TOKEN")
    assert "invalid_token" in {name.lower(): value for name, value in headers.items()}["www-authenticate"]


async def test_a_page_comes_back_with_a_new_ticket_and_its_last_id_as_the_document_says(
    replica, connect, refusal, ticket, make
):
    """A used one is refused whatever comes with it: whoever reads addresses in a log has no use for them."""
    me = new_id()
    used = {"ticket": await ticket(me)}
    async with connect(replica.url, query=used) as client:
        await make(me, "A")
        assert await client.titles(1) == ["A"]
        last = client.last_id
    await make(me, "B")
    status, error, _ = await refusal(replica.url, {"Last-Event-ID": last}, query=used)
    assert (status, error["code"]) == (401, "INVALID_TOKEN")
    async with connect(replica.url, query={"ticket": await ticket(me), "resume_from": last}) as client:
        assert await client.titles(1) == ["B"]


async def test_a_ticket_dies_with_its_session(replica, refusal, ticket, gate):
    mine = {"ticket": await ticket(sid="s7")}
    gate.revoked.add("s7")
    status, error, _ = await refusal(replica.url, query=mine)
    assert (status, error["code"]) == (401, "INVALID_TOKEN")


@pytest.mark.parametrize("allowed", ["https://app.test", "https://localhost:8443"])
async def test_pages_of_ours_and_the_configured_ones_may_connect(start, connect, issuer, allowed):
    replica = await start(cors_origins=["https://app.test"], public_url="https://localhost:8443")
    async with connect(replica.url, issuer.headers() | {"Origin": allowed}) as client:
        await client.frame("unread_count")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "AUTH_REQUIRED"),
        ({"Authorization": "Bearer nonsense"}, 401, "INVALID_TOKEN"),
        ({"scope": "tasks:read"}, 403, "FORBIDDEN"),
        ({"Origin": "https://evil.test"}, 403, "FORBIDDEN"),
    ],
)
async def test_who_may_not_connect_is_told_by_http(replica, refusal, issuer, headers, status, code):
    sent = issuer.headers(scope=headers["scope"]) if "scope" in headers else headers
    if "Origin" in headers:
        sent = issuer.headers() | headers
    told, error, answer = await refusal(replica.url, sent | {"X-Request-ID": "r-1"})
    assert (told, error["code"]) == (status, code)
    assert {name.lower(): value for name, value in answer.items()}["x-request-id"] == "r-1"
    assert not list(replica.hub)


async def test_who_lacks_the_scope_is_told_which(replica, refusal, issuer):
    _, _, answer = await refusal(replica.url, issuer.headers(scope="tasks:read"))
    challenge = {name.lower(): value for name, value in answer.items()}["www-authenticate"]
    assert 'error="insufficient_scope", scope="notifications:read"' in challenge


async def test_a_refused_handshake_is_an_answer_like_any_other(replica, refusal):
    _, _, answer = await refusal(replica.url)
    headers = {name.lower(): value for name, value in answer.items()}
    assert headers["api-version"] == "1"
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_plain_request_is_told_to_be_a_websocket(client):
    answer = await client.get("/api/v1/notifications/stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (426, "UPGRADE_REQUIRED")
    assert answer.headers["upgrade"] == "websocket"


async def test_a_token_in_the_address_is_none(replica, refusal, issuer):
    status, error, _ = await refusal(replica.url, query={"token": issuer.token(), "access_token": issuer.token()})
    assert (status, error["code"]) == (401, "AUTH_REQUIRED")


@pytest.mark.parametrize("given", ["x", "AAAAAAAAAAAA.-1", "AAAAAAAAAAAA.1.2", "AAAAAAAAAAAA." + "9" * 30, "ä" * 30])
async def test_a_place_that_is_none_is_refused(replica, refusal, issuer, given):
    status, error, _ = await refusal(replica.url, issuer.headers(), query={"resume_from": given})
    assert (status, error["code"]) == (422, "VALIDATION_ERROR")
    assert error["details"][0]["field"] == "query.resume_from"


async def test_a_full_process_says_so_and_when_to_come_back(start, connect, refusal, issuer):
    """503: it is nothing that the user did."""
    replica = await start(live_connections=1)
    async with connect(replica.url, issuer.headers()):
        status, error, headers = await refusal(replica.url, issuer.headers())
        assert (status, error["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int({name.lower(): value for name, value in headers.items()}["retry-after"]) > 0
        assert "live_connections" in (await replica.resources.api_health().report())[2]
    while list(replica.hub):
        await asyncio.sleep(0.01)
    async with connect(replica.url, issuer.headers()) as other:
        await other.frame("unread_count")
        replica.hub._most = 2
        assert "live_connections" not in (await replica.resources.api_health().report())[2]


async def test_one_connection_too_many_is_refused_until_another_ends(start, connect, refusal, issuer):
    replica = await start(live_connections_per_user=2)
    me = new_id()
    mine = issuer.headers(me)
    async with connect(replica.url, mine), connect(replica.url, issuer.headers()):
        async with connect(replica.url, mine):
            status, error, headers = await refusal(replica.url, mine)
            assert (status, error["code"]) == (429, "RATE_LIMITED")
            assert int({name.lower(): value for name, value in headers.items()}["retry-after"]) > 0
        while len(list(replica.hub)) > 2:
            await asyncio.sleep(0.01)
        async with connect(replica.url, mine) as third:
            await third.frame("unread_count")
