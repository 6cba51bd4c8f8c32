"""The portal: pages, the merged reference, status, and the answer for paths that nobody owns."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from grove.core.errors import UpstreamError
from grove.testing.http import client_of
from grove_gateway import main
from grove_gateway.main import build
from grove_gateway.reference import endpoints as reference
from grove_gateway.reference.kinds import kind
from grove_gateway.reference.merging import merged
from grove_gateway.reference.service import ReferenceService
from grove_gateway.resources import Resources
from grove_gateway.status import endpoints as status
from grove_gateway.status.service import StatusBoard

SAID = "Create a <thing> with `title`.\n\nMore:\n\n- one **a**\n- two\n\n```js\nconst a = `b`\n```"
DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/api/v1/things": {
            "post": {
                "operationId": "create",
                "tags": ["things"],
                "description": SAID,
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "parameters": [{"name": "X-Key", "in": "header", "schema": {"type": "string"}}],
                "responses": {
                    "201": {
                        "description": "Made",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    }
                },
                "security": [{"bearer": []}],
            },
            "get": {"operationId": "list", "tags": ["things"], "responses": {"204": {"description": "None"}}},
        }
    },
    "components": {"schemas": {"Thing": {"properties": {"title": {"type": "string"}}, "required": ["title"]}}},
}
QUIET = {"outbox_oldest_seconds": 0, "queues": [], "problem": ""}


class Service:
    """A service as the gateway's client sees it."""

    def __init__(self, status: str | None) -> None:
        self.status, self.asked = status, 0

    async def request(self, method: str, path: str, **_) -> httpx2.Response:
        self.asked += 1
        if self.status is None:
            raise UpstreamError
        bodies = {"/health/ready": {"status": self.status}, "/internal/v1/events": QUIET}
        return httpx2.Response(200, json=bodies.get(path, DOCUMENT))

    async def aclose(self) -> None:
        pass


@pytest.fixture
def resources(settings, monkeypatch) -> Resources:
    monkeypatch.setattr(reference, "_reference", ReferenceService())
    monkeypatch.setattr(status, "_board", StatusBoard())
    resources = Resources(settings)
    resources.clients = {"auth": Service("ok"), "resource": Service("degraded"), "notification": Service(None)}
    return resources


@pytest.fixture
async def client(settings, resources) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(build(settings, resources), base_url="https://portal.test") as client:
        yield client
    await resources.aclose()


PRE = '<pre tabindex="0">'
STATIC = Path(main.__file__).parent / "static"
TEMPLATES = STATIC.parent / "templates"
PAGES = (
    "/",
    "/reset-password",
    "/connected",
    "/not-connected",
    "/unsubscribe",
    "/status",
    "/reference",
)
MAILED = {
    "/verify-email": "verify-email",
    "/keep-account": "me/restore",
    "/cancel-recovery": "mfa/recovery/cancel",
    "/change-email": "change-email/confirm",
    "/undo-email-change": "change-email/undo",
    "/not-me": "security/not-me",
}


@pytest.mark.parametrize("path", [*PAGES, *MAILED])
async def test_pages_are_html_with_a_strict_policy(client, path):
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


async def test_who_unsubscribes_clicks_and_the_page_may_call_the_api_only(client):
    answer = await client.get("/unsubscribe")
    assert 'data-url="https://api.localhost:8443/api/v1/notification-preferences/unsubscribe"' in answer.text
    assert "<button" in answer.text
    assert "no more mails of this kind; with the link of a digest, no notifications by mail at all" in answer.text
    assert "connect-src 'self' https://api.localhost:8443;" in answer.headers["content-security-policy"]
    other = await client.get("/not-me")
    assert "connect-src 'self' https://auth.localhost:8443;" in other.headers["content-security-policy"]


@pytest.mark.parametrize(("path", "route"), MAILED.items())
async def test_mailed_links_do_nothing_until_a_person_clicks(client, resources, path, route):
    page = (await client.get(path)).text
    assert f'data-url="https://auth.localhost:8443/api/v1/auth/{route}"' in page
    assert "<button" in page
    assert resources.clients["auth"].asked == 0, "opening it is not clicking it"
    script = (await client.get("/static/mailed_link.js")).text
    assert 'addEventListener("click"' in script
    assert (script.count("post("), script.count("fetch(")) == (1, 0)
    reading = (await client.get("/static/mailed.js")).text
    assert "location.hash" in reading
    assert "fetch(" not in reading


@pytest.mark.parametrize("name", ["mailed_link", "unsubscribe", "reset_password"])
async def test_a_newer_link_in_the_same_tab_is_read_anew(client, name):
    script = (await client.get(f"/static/{name}.js")).text
    assert 'import { serve } from "./mailed.js"' in script
    assert 'addEventListener("hashchange", read)' in (await client.get("/static/mailed.js")).text


async def test_what_a_script_imports_is_there(client):
    names = {script.name for script in STATIC.glob("*.js")}
    for name in names:
        text = (await client.get(f"/static/{name}")).text
        assert set(re.findall(r'from "\./([^"]+)"', text)) <= names
    for template in TEMPLATES.glob("*.html"):
        used = re.findall(r'<script type="module" src="/static/([^"]+)"', template.read_text())
        assert (set(used) <= names, template.read_text().count("<script")) == (True, len(used)), template.name


async def test_a_forgotten_password_is_set_on_a_page_of_its_own(client):
    page = (await client.get("/reset-password")).text
    assert 'data-url="https://auth.localhost:8443/api/v1/auth/reset-password"' in page
    assert 'autocomplete="new-password"' in page
    script = (await client.get("/static/reset_password.js")).text
    assert 'addEventListener("submit"' in script
    assert 'wrong.type !== "weak_password"' in script, "only what is said of the password is told as that"
    assert "[hidden] { display: none !important; }" in (await client.get("/static/grove.css")).text, "it goes when done"


async def test_paths_that_nobody_owns_are_errors_in_groves_format(client):
    answer = await client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
    problem = await client.get("/api/v1/nothing", headers={"Accept": "application/problem+json"})
    assert problem.json()["status"] == 404


async def test_the_reference_is_merged_and_a_missing_service_left_out(client, resources):
    document = (await client.get("/openapi.json")).json()
    assert list(document["paths"]) == ["/api/v1/things"]
    assert set(document["components"]["schemas"]) == {"AuthThing", "ResourceThing"}
    body = document["paths"]["/api/v1/things"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"] == "#/components/schemas/ResourceThing"
    page = (await client.get("/reference")).text
    assert "Create a &lt;thing&gt;" in page
    assert "resource.task.created.v1" in page
    asked = resources.clients["auth"].asked
    resources.clients["notification"].status = "ok"
    for _ in range(3):
        await client.get("/openapi.json")
    assert resources.clients["auth"].asked == asked + 1
    assert (await client.get("/asyncapi.json")).json()["asyncapi"] == "3.0.0"


async def test_the_reference_may_be_private(settings, resources):
    private = settings.model_copy(update={"docs_public": False})
    resources.settings = private
    async with client_of(build(private, resources)) as client:
        for path in ("/reference", "/openapi.json", "/asyncapi.json"):
            assert (await client.get(path)).status_code == 404


async def test_status_shows_states_without_reasons(client):
    answer = await client.get("/status.json")
    assert answer.json() == {"services": {"auth": "ok", "notification": "unreachable", "resource": "degraded"}}
    assert "unreachable" in (await client.get("/status")).text


def test_servers_follow_their_host():
    document = merged({"auth": DOCUMENT}, auth_url="https://auth.x", api_url="https://api.x")
    assert document["paths"]["/api/v1/things"]["servers"] == [{"url": "https://auth.x"}]
    assert document["paths"]["/api/v1/things"]["post"]["operationId"] == "auth_create"


def test_other_ways_to_sign_in_are_in_the_document_too():
    ticket = {"type": "apiKey", "in": "query", "name": "ticket"}
    components = {**DOCUMENT["components"], "securitySchemes": {"ticket": ticket, "bearer": {"type": "http"}}}
    document = merged({"auth": DOCUMENT | {"components": components}}, auth_url="https://a.x", api_url="https://b.x")
    schemes = document["components"]["securitySchemes"]
    assert (schemes["ticket"], schemes["bearer"]["bearerFormat"]) == (ticket, "JWT")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 200}, "text, 1 to 200 characters"),
        ({"type": "integer", "minimum": 1, "default": 20}, "number, at least 1; 20 if left out"),
        ({"$ref": "#/components/schemas/Status", "default": "all"}, "all, pending or done; all if left out"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "time or null"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 20}, "list of text, at most 20 items"),
        ({"type": "boolean", "default": False}, "true or false; false if left out"),
        ({"enum": ["only"]}, "only"),
        ({}, "object"),
    ],
)
def test_schemas_in_words(schema, words):
    assert kind(schema, {"Status": {"enum": ["all", "pending", "done"]}}) == words


async def test_the_reference_page_tells_what_is_taken(client, resources):
    page = (await client.get("/reference")).text
    assert "<code>X-Key</code>" in page
    assert '<span class="kind">text</span>' in page
    assert '<a href="#resource:-things">resource: things</a>' in page
    assert "Create a &lt;thing&gt; with <code>title</code>" in page


async def test_the_reference_page_sets_what_is_said_and_links_to_it(client):
    page = (await client.get("/reference")).text
    assert '<span class="summary">Create a &lt;thing&gt; with <code>title</code>.</span>' in page
    assert "<p>More:</p>\n<ul>\n<li>one <strong>a</strong></li>\n<li>two</li>\n</ul>" in page
    assert '<pre><code class="language-js">const a = `b`\n</code></pre>' in page
    ids = re.findall(r'<details id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 2
    for each in ids:
        assert f'<a href="#{each}" aria-label="Link to' in page


async def test_the_reference_page_has_examples(client, settings):
    page = html.unescape((await client.get("/reference")).text)
    things = f"{settings.public_api_url}/api/v1/things"
    assert f"{PRE}curl -X POST {things} \\\n  -H 'Authorization: Bearer" in page
    assert """-d '{"title": "<title>"}'</pre>""" in page
    assert PRE + '{\n  "title": "<title>"\n}</pre>' in page
    assert f"{PRE}curl {things}</pre>" in page, "no token, no body"


async def test_the_document_says_which_operations_take_a_token(client):
    thing = (await client.get("/openapi.json")).json()["paths"]["/api/v1/things"]
    assert (thing["post"]["security"], thing["get"]["security"]) == ([{"bearer": []}], [])
