"""What every answer of every service has in common."""

import json

import pytest

from grove.web.body import depth, is_json


async def test_an_error_in_groves_format(client):
    answer = await client.get("/api/v1/things/7", headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == 404
    assert answer.json() == {
        "success": False,
        "error": {
            "code": "RESOURCE_NOT_FOUND",
            "message": "There is nothing here.",
            "details": [{"field": "number", "message": "7", "type": "x"}],
        },
        "request_id": "abc-1",
    }


async def test_the_same_facts_as_problem_json(client):
    answer = await client.get("/api/v1/things/7", headers={"Accept": "application/problem+json"})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["instance"]) == (404, "RESOURCE_NOT_FOUND", "/api/v1/things/7")
    assert problem["errors"][0]["field"] == "number"
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "RESOURCE_NOT_FOUND"),
        ("PUT", "/api/v1/things", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/v1/things?x=%00", 422, "VALIDATION_ERROR"),
        ("GET", "/api/v1/lost", 503, "SERVICE_UNAVAILABLE"),
        ("GET", "/api/v1/broken", 500, "INTERNAL_ERROR"),
    ],
)
async def test_frameworks_errors_too(client, method, path, status, code):
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["api-version"] == "1"
    assert "hunter2" not in answer.text


async def test_a_lost_store_says_when_to_try_again(client):
    assert (await client.get("/api/v1/lost")).headers["retry-after"] == "1"


@pytest.mark.parametrize("given", ["", "with space", "x" * 129, "line\tbreak"])
async def test_an_unusable_request_id_is_replaced(client, given):
    answer = await client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 36


async def test_the_headers_that_all_answers_carry(client):
    headers = (await client.post("/api/v1/things", json={"title": "x"})).headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "x-xss-protection" not in headers


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "a\\u0000b"}',
        b'{"title": "\\ud800"}',
        b'{"title": "x", "extra": ' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"title": "x", "extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"title": "x", "unknown": 1}',
        b'{"title": ""}',
        b"not json",
        b'{"title": "\xff"}',
        b"",
        b"[]",
    ],
)
async def test_a_bad_body_is_a_422_and_never_a_500(client, body):
    answer = await client.post("/api/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert answer.json()["error"]["details"]


@pytest.mark.parametrize("kind", ["application/JSON", "Application/Json; charset=utf-8", "application/x+JSON"])
@pytest.mark.parametrize("title", ["a\\u0000b", "\\ud800", "\\uD800"])
async def test_json_by_any_name_is_looked_at(client, kind, title):
    answer = await client.post(
        "/api/v1/things", content=f'{{"title": "{title}"}}'.encode(), headers={"Content-Type": kind}
    )
    assert (answer.status_code, answer.json()["error"]["details"][0]["type"][:5]) == (422, "json_")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
async def test_json_is_utf_8(client, encoding):
    body = '{"title": "\\ud800"}'.encode(encoding)
    answer = await client.post("/api/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["type"]) == (422, "json_encoding")


async def test_what_only_looks_like_an_escape_is_text(client):
    answer = await client.post("/api/v1/things", json={"title": "\\u0000 and \\ud800"})
    assert (answer.status_code, answer.json()["title"]) == (200, "\\u0000 and \\ud800")


def test_what_is_json():
    for kind in ("application/json", "APPLICATION/JSON ; a=b", "application/merge-patch+json"):
        assert is_json(kind)
    for kind in ("", "text/json", "multipart/form-data; boundary=json", "application/jsonl", "json"):
        assert not is_json(kind)


async def test_a_body_over_a_mebibyte_is_a_413(client):
    body = json.dumps({"title": "x" * 1_100_000})
    answer = await client.post("/api/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_so_is_one_that_does_not_tell_its_length(client):
    async def chunks():
        for _ in range(20):
            yield b"x" * 100_000

    answer = await client.post("/api/v1/things", content=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_brackets_in_text_are_not_depth():
    assert depth(b'{"a": "' + b"[" * 100 + b'\\"]"}') == 1
    assert depth(b"[" * 65 + b"]" * 65) == 65
    assert depth(b"[]") == 0


async def test_the_edge_is_believed_about_addresses_and_nobody_else(client_as, app, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr("grove.web.middleware.log.info", lambda *_, **fields: seen.append(fields["client"]))
    for identity in ("spiffe://grove/traefik", None):
        async with client_as(identity) as client:
            await client.get("/nowhere", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
    async with client_as("spiffe://grove/traefik") as client:
        await client.get("/nowhere", headers={"X-Forwarded-For": "nonsense"})
    assert seen == ["203.0.113.9", "127.0.0.1", None]


async def test_the_portal_may_call_and_strangers_may_not(client):
    for origin, allowed in (("https://portal.test", "https://portal.test"), ("https://evil.test", None)):
        answer = await client.get("/nowhere", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("path", ["/api/v1/lost", "/api/v1/broken", "/api/v1/things?x=%00", "/api/v1/things/7"])
async def test_web_apps_can_read_every_error(client, path):
    answer = await client.get(path, headers={"Origin": "https://portal.test"})
    assert answer.is_error
    assert answer.headers["access-control-allow-origin"] == "https://portal.test"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_web_apps_can_read_that_a_body_is_too_large(client):
    headers = {"Origin": "https://portal.test", "Content-Type": "application/json"}
    answer = await client.post("/api/v1/things", content=b"[" + b"1," * 600_000 + b"1]", headers=headers)
    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == "https://portal.test"
    assert "Content-Disposition" in answer.headers["access-control-expose-headers"]
