"""The edge: what it lets in, what it keeps out, and who may speak to whom behind it."""

import asyncio
import json
import re
import ssl
import warnings

import pytest

from grove.core.ids import new_id
from grove_stack.pki.authority import Authority


async def test_paths_that_nobody_owns_are_errors_in_groves_format(suite, client):
    for url in (f"{suite.file['api_url']}/api/v1/nothing", f"{suite.file['auth_url']}/nothing", f"{suite.api}/"):
        answer = await client.get(url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
        assert answer.headers["api-version"] == "1"


async def test_every_documented_operation_is_routed_and_those_for_users_ask_for_a_token(suite, client):
    document = (await client.get(f"{suite.file['portal_url']}/openapi.json")).json()
    asked = 0
    for path, item in document["paths"].items():
        url = item["servers"][0]["url"] + re.sub(r"{[^}]+}", str(new_id()), path)
        for method, operation in item.items():
            if method == "servers" or not operation["security"]:
                continue
            answer = await client.request(method, url)
            found = answer.status_code, answer.json()["error"]["code"]
            if "426" in operation["responses"]:  # of a WebSocket, which this is not
                assert found == (426, "UPGRADE_REQUIRED"), (method, url)
                continue
            assert found == (401, "AUTH_REQUIRED"), (method, url)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            asked += 1
    assert asked > 100


async def test_what_is_internal_is_not_routed(suite, client):
    for path in ("/internal/v1/revocations", "/internal/v1/openapi.json", "/health/ready", "/metrics"):
        for host in ("auth_url", "api_url", "portal_url"):
            assert (await client.get(f"{suite.file[host]}{path}")).status_code == 404


async def test_plain_http_redirects(suite, client):
    http_port = suite.layout.root / "ports.json"
    port = json.loads(http_port.read_text())["http"]
    answer = await client.get(f"http://api.localhost:{port}/api/v1/tasks")
    assert answer.status_code in {302, 307}, "for ever in production only: browsers would not forget it"
    assert answer.headers["location"].startswith("https://api.localhost")


async def test_headers(suite, ada):
    answer = await ada.call("GET", "/tasks")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers  # the development profile
    assert "ratelimit" in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/tasks%2f..%2fsecret", "/api/v1/tasks/%00", "/api/v1/tasks%3b"])
async def test_encoded_trickery_is_refused(suite, path):
    port = suite.file["api_url"].rsplit(":", 1)[1]
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(port), ssl=suite.tls, server_hostname="api.localhost"
    )
    writer.write(f"GET {path} HTTP/1.1\r\nHost: api.localhost\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()


async def test_an_unknown_server_name_gets_no_handshake(suite):
    port = suite.file["api_url"].rsplit(":", 1)[1]
    context = suite.tls
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", int(port), ssl=context, server_hostname="evil.example")


async def test_old_tls_is_refused(suite):
    port = suite.file["api_url"].rsplit(":", 1)[1]
    context = suite.tls
    with warnings.catch_warnings(action="ignore"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError, ValueError)):
        await asyncio.open_connection("127.0.0.1", int(port), ssl=context, server_hostname="api.localhost")


async def test_a_client_can_not_choose_its_address(suite, ada):
    await ada.client.get(f"{suite.auth}/sessions", headers=ada.headers)
    body = {"email": ada.email, "password": "plant trees not walls"}
    spoofed = {"X-Forwarded-For": "198.51.100.77", "X_Forwarded_For": "198.51.100.78", "X-Real-IP": "198.51.100.79"}
    answer = await ada.client.post(f"{suite.auth}/login", json=body, headers=spoofed)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    sessions = (await ada.client.get(f"{suite.auth}/sessions", headers=headers)).json()["items"]
    assert {session["ip"] for session in sessions} == {"127.0.0.0"}


async def test_large_bodies_are_refused(suite, ada):
    for size in (1_200_000, 3_000_000):
        answer = await ada.call(
            "POST", "/tasks", content=b'{"title": "' + b"x" * size + b'"}', headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413


async def ask(address: str, context: ssl.SSLContext | None) -> bytes:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(
        host, int(port), ssl=context, server_hostname="localhost" if context else None
    )
    try:
        writer.write(b"GET /internal/v1/revocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


async def test_without_a_certificate_or_with_another_cas_no_http_byte_comes_back(suite, tmp_path):
    other = Authority(tmp_path / "other")
    other.create("Another CA")
    other.issue_identity("gateway", into=tmp_path / "foreign.pem")
    none = ssl.create_default_context(cafile=str(suite.layout.internal_ca.certificate_file))
    foreign = ssl.create_default_context(cafile=str(suite.layout.internal_ca.certificate_file))
    foreign.load_cert_chain(tmp_path / "foreign.pem")
    for process in suite.file["processes"]:
        if process["name"].endswith("-api"):
            for context in (none, foreign, None):
                try:
                    came_back = await ask(process["address"], context)
                except (ssl.SSLError, ConnectionError):
                    came_back = b""
                assert came_back == b"", process["name"]


async def test_the_right_ca_with_the_wrong_identity_gets_403_on_internal_routes(suite):
    auth = f"https://{suite.process('auth-api')['address']}"
    resource = f"https://{suite.process('resource-api')['address']}"
    for service, url, expected in (
        ("traefik", f"{auth}/internal/v1/revocations", 403),
        ("resource", f"{auth}/internal/v1/revocations", 200),
        ("notification", f"{resource}/internal/v1/openapi.json", 403),
        ("gateway", f"{resource}/internal/v1/openapi.json", 200),
    ):
        async with suite.inside(service) as client:
            assert (await client.get(url)).status_code == expected, (service, url)
