"""Idempotency-Key on a route: what is kept under a key, and what is repeated."""

from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, Request, Response

from grove.core.errors import Conflict, ServiceUnavailable
from grove.web import idempotency
from grove.web.body import GroveRoute
from grove.web.idempotency import StillRunning, StoredResponse

USER = UUID(int=1)


class Kept:
    """What PostgreSQL keeps, without it."""

    def __init__(self) -> None:
        self.answers: dict[str, StoredResponse] = {}
        self.running: set[str] = set()

    async def begin(self, _: UUID, key: str) -> StoredResponse | None:
        if key in self.running:
            raise StillRunning
        self.running.add(key)
        return self.answers.get(key)

    async def save(self, _: UUID, key: str, response: StoredResponse) -> None:
        self.answers[key] = response


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def outcomes():
    """What the route's next runs do, in order; it answers 201 when there are no more."""
    return []


@pytest.fixture
def send(app, client_as, kept, outcomes):
    router = APIRouter(route_class=GroveRoute)
    runs = []

    async def once(request: Request, key: idempotency.KeyHeader = None) -> None:
        await idempotency.begin(request, kept, USER, key)

    @router.post("/once", dependencies=[Depends(once)])
    async def make(request: Request) -> Response:
        runs.append(request)
        outcome = outcomes.pop(0) if outcomes else 201
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == "forget":
            idempotency.forget(request)
            outcome = 200
        return Response(f"run {len(runs)}", outcome, {"ETag": '"1"', "Location": "/1", "X-Other": "x"})

    app.include_router(router)

    async def send(body="a", path="/once", **headers):
        async with client_as() as client:
            answer = await client.post(path, content=body, headers=headers)
        kept.running.clear()  # as the end of its transaction does
        return answer

    return send


def key(text="k"):
    return {"Idempotency-Key": text}


async def test_the_answer_is_repeated_with_what_names_the_thing(send):
    first, again = await send(**key()), await send(**key())
    assert (first.status_code, first.text, again.status_code, again.text) == (201, "run 1", 201, "run 1")
    assert "idempotency-replayed" not in first.headers
    assert (again.headers["idempotency-replayed"], again.headers["location"], again.headers["etag"]) == (
        "true",
        "/1",
        '"1"',
    )
    assert "x-other" not in again.headers


async def test_without_a_key_each_request_runs(send, kept):
    assert [(await send()).text for _ in range(2)] == ["run 1", "run 2"]
    assert kept.answers == {}


@pytest.mark.parametrize(("length", "status"), [(0, 422), (1, 201), (255, 201), (256, 422)])
async def test_a_key_has_1_to_255_characters(send, length, status):
    assert (await send(**key("x" * length))).status_code == status


@pytest.mark.parametrize(("body", "path"), [("b", "/once"), ("a", "/once?other=1")])
async def test_another_request_is_refused(send, body, path):
    await send(**key())
    other = await send(body, path, **key())
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await send(**key())).text == "run 1"


async def test_a_request_while_the_first_runs_is_a_conflict(send, kept):
    kept.running.add("k")
    answer = await send(**key())
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("outcome", [Conflict(), ServiceUnavailable(), RuntimeError("x"), 500, 503, "forget"])
async def test_an_error_and_what_was_taken_back_are_not_kept(send, kept, outcomes, outcome):
    outcomes.append(outcome)
    assert (await send(**key())).status_code != 201
    assert kept.answers == {}
    again = await send(**key())
    assert (again.status_code, again.text, list(kept.answers)) == (201, "run 2", ["k"])


async def test_the_reference_says_what_is_kept(app, send):
    (parameter,) = app.openapi()["paths"]["/once"]["post"]["parameters"]
    assert "24 hours" in parameter["description"]
    assert "Errors are not kept" in parameter["description"]
    assert parameter["schema"]["anyOf"][0]["maxLength"] == 255
