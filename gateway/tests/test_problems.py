"""People get pages, also when something is wrong; programs get Grove's format."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from grove.core.errors import UpstreamError
from grove.testing.http import client_of
from grove.testing.tokens import Issuer
from grove_gateway.main import build
from grove_gateway.operators.access import COOKIE
from grove_gateway.resources import Resources

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TOKEN = Issuer().token(iss="https://auth.localhost:8443", aud=["https://auth.localhost:8443"], scope="ops:view")
PORTAL = "https://localhost:8443"
PAGES = ("/", "/status", "/reference", "/operator", "/operator/sign-in", "/operator/mails", "/reset-password")


class Away:
    """A service that can't be reached."""

    async def request(self, *_, **__) -> httpx2.Response:
        raise UpstreamError("auth can't be <reached>.")

    async def aclose(self) -> None:
        pass


@pytest.fixture
async def client(settings) -> AsyncIterator[httpx2.AsyncClient]:
    resources = Resources(settings)
    resources.clients = {"auth": Away()}
    async with client_of(build(settings, resources), base_url=PORTAL) as client:
        yield client
    await resources.aclose()


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/nothing", 404, "There is nothing here"),
        ("/static/nothing.js", 404, "There is nothing here"),
        ("/operator/sign-in?next=//evil.example", 422, "This address is not right"),
        ("/operator", 503, "This does not work right now"),
    ],
)
async def test_browsers_get_a_page_and_others_the_format(client, path, status, title):
    cookie = {"Cookie": f"{COOKIE}={TOKEN}"}
    page = await client.get(path, headers=BROWSER | cookie)
    assert (page.status_code, page.headers["content-type"][:9]) == (status, "text/html")
    assert f"<h1>{title}</h1>" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "no-store" in page.headers["cache-control"]
    assert page.headers["vary"].split(", ")[0] == "Accept"
    assert ("Try again" in page.text) == (status >= 500)
    assert "<reached>" not in page.text
    for accept in ("*/*", "application/json", "application/problem+json"):
        answer = await client.get(path, headers={"Accept": accept} | cookie)
        assert (answer.status_code, "json" in answer.headers["content-type"]) == (status, True)


async def test_what_a_script_asks_for_is_answered_in_the_format(client):
    answer = await client.post("/operator/session", headers=BROWSER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "CSRF_FAILED")


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_at_home_under_the_portals_name_only(client, path):
    for host in ("auth.localhost:8443", "api.localhost:8443"):
        answer = await client.get(f"{path}?next=/operator", headers={"Host": host})
        assert (answer.status_code, answer.headers["location"]) == (307, f"{PORTAL}{path}?next=/operator")
    assert (await client.get(path)).status_code != 307
    assert (await client.get(path, headers={"Host": "10.0.0.1:8443"})).status_code != 307


async def test_programs_find_nothing_elsewhere_under_any_name(client):
    for path in ("/api/v1/nothing", "/nothing"):
        answer = await client.get(path, headers={"Host": "api.localhost:8443"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
