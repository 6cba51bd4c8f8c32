"""What operators see of dead letters and of mails, and what they may do about them."""

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest

from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.testing.http import client_of
from grove.testing.tokens import Issuer
from grove_gateway.main import build
from grove_gateway.operators.access import COOKIE
from grove_gateway.resources import Resources
from grove_gateway.settings import GatewaySettings
from grove_stack.pki.authority import Authority

PORTAL = "https://localhost:8443"
AUTH = "https://auth.localhost:8443"
ORIGIN = {"Origin": PORTAL}
PAGES = "/operator/dead-letters"
EVERYTHING = "ops:view events:read events:replay mail:read"
LETTER = {
    "id": "id-1 &x",
    "type": "auth.user.registered.v1",
    "subject": "u1",
    "time": "2026-01-01T00:00:00Z",
    "sequence": 4,
    "reason": "ValueError: <b>no</b>",
    "attempts": 6,
    "first_failed": "2026-01-02T00:00:00Z",
    "last_failed": "2026-01-03T00:00:00Z",
}
EVENT = '{\n  "data": {\n    "email": "ada@example.com",\n    "sealed": "v1.c2VhbGVk",\n    "note": "<script>"\n  }\n}'
FARE = {"outbox_oldest_seconds": 41.2, "queues": [{"queue": "auth.events", "waiting": 7, "dead": 3}], "problem": ""}
MAIL = {
    "name": "welcome",
    "locale": "de",
    "subject": "Willkommen & hallo",
    "html": "<p style='x'>Hallo</p>",
    "text": "Hallo\n<da>",
}


class Service:
    """A service as the gateway's client sees it: `answers` by path, and what it was asked."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict]] = []

    async def request(self, method: str, path: str, **kwargs) -> httpx2.Response:
        self.asked.append((method, path, kwargs))
        answer = self.answers.get(path, UpstreamError("the service can't be reached."))
        if callable(answer):
            answer = await answer(**kwargs)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    async def aclose(self) -> None:
        pass


def error(status: int, message: str) -> httpx2.Response:
    return httpx2.Response(status, json={"success": False, "error": {"code": "X", "message": message, "details": []}})


class Portal:
    """The gateway with its services, seen by an operator's browser."""

    def __init__(self, resources: Resources, client: httpx2.AsyncClient, issuer: Issuer) -> None:
        self.services: dict[str, Service] = resources.clients
        self.client, self._issuer = client, issuer
        self.user = new_id()

    def cookie(self, scope: str) -> dict[str, str]:
        token = self._issuer.token(self.user, iss=AUTH, aud=[AUTH, "https://api.localhost:8443"], scope=scope)
        return {"Cookie": f"{COOKIE}={token}"}

    async def get(self, path: str, scope: str = EVERYTHING) -> httpx2.Response:
        return await self.client.get(path, headers=self.cookie(scope))

    async def replay(self, body: object, scope: str = EVERYTHING, headers=ORIGIN) -> httpx2.Response:
        return await self.client.post(f"{PAGES}/auth/replay", json=body, headers=self.cookie(scope) | headers)

    def replays(self) -> list[dict]:
        return [kwargs for method, _, kwargs in self.services["auth"].asked if method == "POST" and "params" in kwargs]


@pytest.fixture
async def portal(tmp_path) -> AsyncIterator[Portal]:
    authority = Authority(tmp_path / "ca")
    authority.create("Test CA")
    authority.issue_identity("gateway", into=tmp_path / "identity.pem")
    settings = GatewaySettings(tls_identity_file=tmp_path / "identity.pem", tls_ca_file=authority.certificate_file)
    resources, issuer = Resources(settings), Issuer()

    async def jwks(**_) -> dict:
        return await issuer.jwks()

    resources.clients = {
        "auth": Service(
            {
                "/.well-known/jwks.json": jwks,
                "/internal/v1/introspect": {"active": True},
                "/health/ready": {"status": "ok", "failing": {}, "degraded": {}},
                "/internal/v1/events": FARE,
                "/internal/v1/dead-letters": {"items": [LETTER]},
                "/internal/v1/dead-letters/one": LETTER | {"event": EVENT},
                "/internal/v1/dead-letters/replay": {"replayed": 1, "left": 2},
            }
        ),
        "resource": Service(
            {"/internal/v1/events": FARE | {"queues": [], "problem": "RabbitMQ can't be reached (x)."}}
        ),
        "notification": Service(
            {
                "/internal/v1/events": httpx2.Response(200, text="not JSON"),
                "/api/v1/admin/notification/templates": {
                    "items": [
                        {"name": "welcome", "kind": "account", "locales": ["en", "de"], "samples": ["default", "late"]}
                    ]
                },
                "/api/v1/admin/notification/templates/welcome": MAIL,
            }
        ),
    }
    async with client_of(build(settings, resources), base_url=PORTAL) as client:
        yield Portal(resources, client, issuer)
    await resources.aclose()


@pytest.mark.parametrize("path", ["/operator", PAGES, f"{PAGES}/auth?queue=auth.events", "/operator/mails"])
async def test_pages_are_for_operators_and_keep_the_strict_policy(portal, path):
    nobody = await portal.client.get(path)
    wanted = "" if path == "/operator" else f"?next={quote(path, safe='/')}"
    assert (nobody.status_code, nobody.headers["location"]) == (303, f"/operator/sign-in{wanted}")
    assert (await portal.get(path, "events:read events:replay mail:read")).status_code == 403
    page = await portal.get(path)
    assert page.status_code == 200
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "frame-src" not in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert "<script>" not in page.text
    assert " style=" not in page.text
    assert "no-store" in page.headers["cache-control"]
    for link in ("/operator", PAGES, "/operator/mails"):
        assert f'href="{link}"' in page.text


async def test_the_overview_says_how_events_fare_and_what_is_not_known(portal):
    page = (await portal.get("/operator", "ops:view")).text
    assert "3 dead letters" in page
    assert "the oldest event waits for 41 s" in page
    assert "RabbitMQ can&#39;t be reached (x)." in page
    assert "nothing that can be read" in page
    portal.services["auth"].answers["/internal/v1/events"] = FARE | {"outbox_oldest_seconds": 0.0}
    assert "outbox is empty" in (await portal.get("/operator")).text


async def test_a_service_that_answers_nonsense_is_unreachable(portal):
    portal.services["auth"].answers["/health/ready"] = httpx2.Response(200, text="<html>")
    assert "nothing that can be read" in (await portal.get("/operator")).text
    assert (await portal.client.get("/status.json")).json()["services"]["auth"] == "unreachable"


async def test_every_service_is_counted_though_one_is_away(portal):
    portal.services["notification"].answers.clear()
    page = await portal.get(PAGES, "ops:view")
    assert page.status_code == 200
    assert f'href="{PAGES}/auth?queue=auth.events">3: look at them' in page.text
    assert "<td>7</td>" in page.text
    assert "RabbitMQ can&#39;t be reached (x)." in page.text
    assert "the service can&#39;t be reached." in page.text


async def test_the_list_says_what_and_why_and_not_what_the_event_says(portal):
    page = (await portal.get(f"{PAGES}/auth?queue=auth.events", "ops:view events:read")).text
    for shown in ("auth.user.registered.v1", "u1", "number 4", "ValueError: &lt;b&gt;no&lt;/b&gt;", "2026-01-03T00:00"):
        assert shown in page
    assert f"{PAGES}/auth/letter?queue=auth.events&amp;id=id-1%20%26x" in page
    assert "ada@example.com" not in page
    assert page.count("<button") == page.count('<button id="sign-out"') == 1, "who may not hand back sees no button"
    assert portal.services["auth"].asked[-1][2]["params"] == {"queue": "auth.events", "limit": 100}
    assert (
        'data-id="id-1 &amp;x" aria-label="Hand back auth.user.registered.v1'
        in (await portal.get(f"{PAGES}/auth?queue=auth.events")).text
    )


async def test_a_letter_says_all_and_seals_stay_sealed(portal):
    page = (await portal.get(f"{PAGES}/auth/letter?queue=auth.events&id=id-1%20%26x", "ops:view events:read")).text
    assert "ada@example.com" in page
    assert "v1.c2VhbGVk" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert portal.services["auth"].asked[-1][2]["params"] == {"queue": "auth.events", "id": "id-1 &x"}


async def test_letters_need_a_permission_of_their_own(portal):
    for path in (f"{PAGES}/auth?queue=auth.events", f"{PAGES}/auth/letter?queue=auth.events&id=x"):
        refused = await portal.get(path, "ops:view events:replay")
        assert (refused.status_code, "events:read" in refused.text) == (403, True)
        assert refused.headers["content-type"].startswith("text/html")
    assert not any("dead-letters" in path for _, path, _ in portal.services["auth"].asked)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (error(424, "RabbitMQ is away."), 502, "RabbitMQ is away."),
        (error(404, "It is not there any more."), 404, "It is not there any more."),
        (httpx2.Response(500, text="?"), 502, "nothing that can be read"),
        (UpstreamError("the auth service can't be reached."), 502, "can&#39;t be reached"),
    ],
)
async def test_what_is_in_the_way_is_on_the_page(portal, answer, status, said):
    for path in ("/internal/v1/dead-letters", "/internal/v1/dead-letters/one", "/internal/v1/dead-letters/replay"):
        portal.services["auth"].answers[path] = answer
    for path in (f"{PAGES}/auth?queue=auth.events", f"{PAGES}/auth/letter?queue=auth.events&id=x"):
        page = await portal.get(path)
        assert (page.status_code, page.headers["content-type"][:9]) == (status, "text/html")
        assert said in page.text
    told = await portal.replay({"queue": "auth.events", "ids": ["x"]})
    assert told.status_code == status
    assert told.json()["error"]["message"]


async def test_a_service_or_queue_that_is_not_there(portal):
    page = await portal.get(f"{PAGES}/nobody?queue=x.events")
    assert (page.status_code, "no service of this name" in page.text) == (404, True)
    for wrong in ("", "?queue=", "?queue=../x", f"?queue={'x' * 100}"):
        assert (await portal.get(f"{PAGES}/auth{wrong}")).status_code == 422


async def test_letters_are_handed_back_in_the_operators_name(portal):
    answer = await portal.replay({"queue": "auth.events", "ids": ["id-1 &x"]}, "ops:view events:replay")
    assert (answer.status_code, answer.json()) == (200, {"replayed": 1, "left": 2})
    await portal.replay({"queue": "auth.events", "ids": None})
    one, every = portal.replays()
    assert one["json"] == {"ids": ["id-1 &x"], "actor_id": str(portal.user)}
    assert every["json"] == {"ids": None, "actor_id": str(portal.user)}
    assert one["params"] == {"queue": "auth.events"}


async def test_only_the_portals_own_pages_hand_back_and_only_who_may(portal):
    body = {"queue": "auth.events", "ids": None}
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": AUTH}):
        refused = await portal.replay(body, headers=origin)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "CSRF_FAILED")
    refused = await portal.replay(body, "ops:view events:read")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "events:replay" in refused.json()["error"]["message"]
    nobody = await portal.client.post(f"{PAGES}/auth/replay", json=body, headers=ORIGIN)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "INVALID_TOKEN")
    for wrong in ({}, {"queue": "x", "ids": []}, {"queue": "x", "ids": ["y"] * 101}, {"queue": "x", "actor_id": "z"}):
        assert (await portal.replay(wrong)).status_code == 422
    assert portal.replays() == []


async def test_mails_are_listed_in_every_language_and_asked_for_by_the_operator(portal):
    page = (await portal.get("/operator/mails", "ops:view mail:read")).text
    for locale in ("en", "de"):
        assert f'href="/operator/mails/welcome?locale={locale}"' in page
    _, _, kwargs = portal.services["notification"].asked[-1]
    assert kwargs["headers"]["Authorization"].startswith("Bearer ey")
    refused = await portal.get("/operator/mails", "ops:view events:read")
    assert (refused.status_code, "mail:read" in refused.text) == (403, True)


async def test_each_thing_that_a_mail_may_say_is_shown(portal):
    page = (await portal.get("/operator/mails", "ops:view mail:read")).text
    assert 'href="/operator/mails/welcome?locale=de&amp;sample=late" aria-label="welcome/late in de"' in page
    page = (await portal.get("/operator/mails/welcome?locale=de&sample=late")).text
    assert 'title="How welcome/late looks in de" src="/operator/mails/welcome/de?sample=late"' in page
    await portal.get("/operator/mails/welcome/de?sample=late")
    for _, _, kwargs in portal.services["notification"].asked[-2:]:
        assert kwargs["params"] == {"locale": "de", "sample": "late"}
    for path in ("/operator/mails/welcome?locale=de&sample=../x", "/operator/mails/welcome/de?sample="):
        assert (await portal.get(path)).status_code == 422


async def test_a_mail_is_framed_and_may_do_nothing(portal):
    page = await portal.get("/operator/mails/welcome?locale=de")
    assert "Willkommen &amp; hallo" in page.text
    assert "&lt;da&gt;" in page.text
    assert 'sandbox title="How welcome looks in de" src="/operator/mails/welcome/de"' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    frame = await portal.get("/operator/mails/welcome/de")
    assert frame.text == MAIL["html"] + '<base target="_blank">'
    assert "allow-popups" not in page.text + frame.headers["content-security-policy"], "links open nothing"
    policy = [part.strip() for part in frame.headers["content-security-policy"].split(";")]
    assert {"sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'self'"} <= set(policy)
    assert "script" not in frame.headers["content-security-policy"]
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert (await portal.get("/operator/mails/welcome/de", "ops:view")).status_code == 403
    assert (await portal.client.get("/operator/mails/welcome/de")).status_code == 303


async def test_mails_that_are_not_there_or_can_not_be_had(portal):
    answers = portal.services["notification"].answers
    for status, shown in ((404, 404), (422, 404), (429, 502), (401, 303), (403, 403)):
        for path in list(answers):
            answers[path] = error(status, "Too fast.")
        assert (await portal.get("/operator/mails/welcome?locale=de")).status_code == shown
        assert (await portal.get("/operator/mails/welcome/de")).status_code == shown
    answers.clear()
    page = await portal.get("/operator/mails")
    assert (page.status_code, "can&#39;t be reached" in page.text) == (502, True)
    for path in ("/operator/mails/a-b?locale=de", "/operator/mails/welcome?locale=../x", "/operator/mails/welcome/DE"):
        assert (await portal.get(path)).status_code == 422
    del portal.services["notification"]
    assert (await portal.get("/operator/mails")).status_code == 404


async def test_the_scripts_ask_for_what_the_routes_take(portal):
    script = (await portal.client.get("/static/dead_letters.js")).text
    assert "post(url, { queue, ids: id ? [id] : null })" in script
    assert json.loads((await portal.replay({"queue": "auth.events", "ids": None})).text)["replayed"] == 1
