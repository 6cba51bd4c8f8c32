"""Asking over GraphQL, and counting what that costs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from grove.core.ids import new_id
from grove.postgres.reads import Reads

URL = "/graphql"


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def ask(client, me):
    """The whole answer to a document; any status."""

    async def ask(query: str, headers=None, operation=None, **variables):
        body = {"query": query, "variables": variables}
        if operation:
            body["operationName"] = operation
        return await client.post(URL, json=body, headers=headers or me)

    return ask


@pytest.fixture
def data(ask):
    """What was asked for, without any error."""

    async def data(query: str, headers=None, **variables):
        answer = await ask(query, headers, **variables)
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    return data


@pytest.fixture
def refusal(ask):
    """The only error of an answer: its extensions, with its path."""

    async def refusal(query: str, headers=None, **variables):
        answer = await ask(query, headers, **variables)
        (error,) = answer.json()["errors"]
        return error["extensions"] | {"path": error.get("path"), "message": error["message"]}

    return refusal


@pytest.fixture
def statements(resources, monkeypatch):
    """A context in which all statements of both pools are noted."""

    @contextmanager
    def noted() -> Iterator[list[str]]:
        found: list[str] = []
        with monkeypatch.context() as patch:
            for name in ("all", "first", "scalar"):
                original = getattr(Reads, name)

                async def reading(self, statement, original=original, **values):
                    found.append(statement.text)
                    return await original(self, statement, **values)

                patch.setattr(Reads, name, reading)

            def changing(_c, _cursor, statement, *_):
                found.append(statement)

            event.listen(resources.engine.sync_engine, "before_cursor_execute", changing)
            try:
                yield found
            finally:
                event.remove(resources.engine.sync_engine, "before_cursor_execute", changing)

    return noted


@pytest.fixture
def task(client, me):
    """Makes a task over REST."""

    async def task(title: str = "Plant", headers=None, **fields):
        answer = await client.post("/api/v1/tasks", json={"title": title, **fields}, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return task
