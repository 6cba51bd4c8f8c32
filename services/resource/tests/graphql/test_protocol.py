"""GraphQL over HTTP: each MUST and SHOULD of its specification that a server for POST has to follow."""

import pytest

from grove.core.ids import new_id

pytestmark = pytest.mark.integration

URL = "/graphql"
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BOTH = pytest.mark.parametrize("accept", [JSON, GRAPHQL])
OK = {"query": "{ __typename }"}
TASKS = "query Q($first: Int!) { tasks(first: $first) { edges { cursor } } }"


@pytest.fixture
def post(client, issuer):
    headers = issuer.headers(new_id())

    async def post(body=OK, accept: str | None = GRAPHQL, content_type: str | None = JSON, **kwargs):
        given = {"Accept": accept, "Content-Type": content_type}
        sent = {**headers, **{name: value for name, value in given.items() if value is not None}}
        if accept is None:
            client.headers.pop("Accept", None)
        how = {"content": body} if isinstance(body, bytes) else {"json": body}
        if content_type is None and "json" in how:
            how = {"content": b'{"query": "{ __typename }"}'}
        return await client.post(URL, headers=sent, **how, **kwargs)

    return post


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{JSON}; charset=utf-8", JSON),
        (f'{GRAPHQL}; charset="UTF-8", {JSON}; charset=utf-8', GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),  # the first of equals
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.2, {JSON};q=0.9", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"text/html, {JSON}", JSON),
        ("application/*", GRAPHQL),
        ("*/*", GRAPHQL),
        (f"*/*;q=0.1, {JSON}", JSON),
        (None, GRAPHQL),  # as of 2025
        ("", GRAPHQL),
    ],
)
async def test_the_answer_has_the_media_type_that_the_client_likes_best(post, accept, expected):
    answer = await post(accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{expected}; charset=utf-8")
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", f"{JSON}; charset=latin-1", "image/*", f"{JSON};q=x"])
async def test_a_client_that_takes_neither_gets_406(post, accept):
    answer = await post(accept=accept)
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f"{JSON}; charset=UTF-8"])
async def test_requests_are_json_in_utf_8(post, content_type):
    body = '{"query": "query ($q: String) { tasks(q: $q) { edges { cursor } } }", "variables": {"q": "Straße"}}'
    answer = await post(body.encode(), content_type=content_type)
    assert (answer.status_code, answer.json()) == (200, {"data": {"tasks": {"edges": []}}})


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/graphql", f"{JSON}; charset=utf-16", "multipart/form-data"]
)
async def test_other_content_is_refused(post, content_type):
    answer = await post(b'{"query": "{ __typename }"}', content_type=content_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_only_post_is_taken(client, issuer, method):
    answer = await client.request(method, f"{URL}?query={{__typename}}", headers=issuer.headers(new_id()))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NONSENSE",
        b'{"query":',
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5000 + b"}}",
        b"null",
        b'"{ __typename }"',
        [OK, OK],
        {},
        {"qeury": "{ __typename }"},
        OK | {"unknown": 1},
        *({"query": wrong} for wrong in (None, {}, 0, False, [])),
        *(OK | {"operationName": wrong} for wrong in ({}, 0, False, [])),
        *(OK | {"variables": wrong} for wrong in ("s", 0, False, [7])),
        *(OK | {"extensions": wrong} for wrong in ("s", 0, False, [7])),
    ],
)
async def test_what_is_no_request_is_a_400(post, body, accept):
    answer = await post(body, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (400, f"{accept}; charset=utf-8")
    (error,) = answer.json()["errors"]
    assert "data" not in answer.json()
    assert (error["extensions"]["code"], error["extensions"]["status"]) == ("BAD_REQUEST", 400)
    assert error["extensions"]["request_id"] == answer.headers["x-request-id"]


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        OK,
        OK | {"operationName": None},
        OK | {"variables": None},
        OK | {"extensions": None},
        OK | {"extensions": {"some": "value"}},
        OK | {"variables": {"unused": 1}},
        {"query": "query A { __typename } query B { __typename }", "operationName": "B"},
        {"query": TASKS, "variables": {"first": 1}},
        {"query": TASKS, "variables": {"first": 1}, "operationName": "Q"},
    ],
)
async def test_well_formed_requests_are_executed(post, body, accept):
    answer = await post(body, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{accept}; charset=utf-8")
    assert answer.json().keys() == {"data"}


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "{"},
        {"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"},
        {"query": "{ unknown }"},
        {"query": "type A { a: Int }"},
        {"query": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "query A { __typename }", "operationName": "B"},
        {"query": "subscription { task }"},
        {"query": TASKS},
        {"query": TASKS, "variables": {"first": "x"}},
        {"query": TASKS, "variables": {"first": None}},
        {"query": TASKS, "variables": {"first": 2**31}},
        {"query": '{ task(id: "\\u{0}") { id } }'},
    ],
)
async def test_what_can_not_be_executed_has_no_data(post, body, accept, status):
    answer = await post(body, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (status, f"{accept}; charset=utf-8")
    assert answer.json().keys() == {"errors"}
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"BAD_REQUEST"}


@BOTH
async def test_what_fails_while_it_is_executed_is_null(post, accept):
    answer = await post({"query": '{ __typename task(id: "x") { id } other: tasks { edges { cursor } } }'}, accept)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"__typename": "Query", "task": None, "other": {"edges": []}}
    (error,) = answer.json()["errors"]
    assert (error["path"], error["locations"][0].keys()) == (["task"], {"line", "column"})


async def test_sign_in_comes_first_and_is_answered_as_in_rest(client, issuer, gate):
    for headers, code in (
        ({}, "AUTH_REQUIRED"),
        ({"Authorization": "Bearer x"}, "INVALID_TOKEN"),
        (issuer.headers(new_id(), exp=1), "INVALID_TOKEN"),
    ):
        answer = await client.post(URL, json=OK, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    session = str(new_id())
    gate.revoked.add(session)
    answer = await client.post(URL, json=OK, headers=issuer.headers(new_id(), sid=session))
    assert answer.status_code == 401


async def test_large_and_odd_bodies_are_refused_as_in_rest(post):
    large = await post({"query": "{ __typename }", "variables": {"a": "x" * 1024 * 1024}})
    assert (large.status_code, large.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    for odd in (b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}', b'{"query": "\xff"}'):
        assert (await post(odd)).status_code == 422
    deep = b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}"
    assert (await post(deep)).status_code == 422


async def test_the_limit_of_requests_is_that_of_all_routes(post):
    answer = await post()
    assert answer.headers["ratelimit-policy"].startswith('"user";')
    assert answer.headers["cache-control"] == "private, no-store"
