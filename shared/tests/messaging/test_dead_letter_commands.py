"""`grove events dead …` as an operator types it."""

import asyncio
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from grove.core.clock import now, rfc3339
from grove.core.ids import new_id
from grove.core.operator import Operator
from grove.messaging import dead_letter_commands, topology
from grove.messaging.broker import message
from grove.messaging.cli import commands as event_commands
from grove.messaging.cli import import_definitions
from grove.messaging.dead_letter_commands import commands
from grove.messaging.operator_access import management

pytestmark = pytest.mark.integration

DEAD = "resource.events.dead"
TEAM = "paint-shop"
"""A team's own service, of which the catalogue does not know."""


@pytest.fixture
def operator(stores, tmp_path, monkeypatch) -> Operator:
    monkeypatch.delenv("GROVE_OPERATOR_FILE", raising=False)
    monkeypatch.setenv("GROVE_STATE_DIR", str(tmp_path))
    (tmp_path / "operator.json").write_text(json.dumps(stores.plan.operator()))
    return Operator.model_validate(stores.plan.operator())


@pytest.fixture(autouse=True)
def _empty(operator, brokers):
    def purge() -> None:
        with management(operator) as client:
            for name in ("resource.events", DEAD):
                assert client.delete(f"/api/queues/grove/{name}/contents").status_code == 204

    purge()
    yield
    purge()


@pytest.fixture
def park(brokers):
    """Park letters of a consumer; their ids."""

    def park(*letters: dict, queue: str = "resource.events", **headers: object) -> list[str]:
        ids = [str(new_id()) for _ in letters]

        async def publish() -> None:
            async with brokers("operator").connection() as connection:
                channel = await connection.channel()
                exchange = await channel.get_exchange(f"{queue.split('.', maxsplit=1)[0]}.internal", ensure=False)
                for name, event in zip(ids, letters, strict=True):
                    made = message(json.dumps(event).encode(), message_id=name, headers=headers)
                    await exchange.publish(made, routing_key=f"{queue}.dead")

        asyncio.run(publish())
        return ids

    return park


def run(*words: str, ends: int = 0, typed: str | None = None, columns: int = 80) -> str:
    done = CliRunner().invoke(commands, list(words), input=typed, env={"COLUMNS": str(columns)})
    assert done.exit_code == ends, (words, done.output, done.exception)
    return done.output


def count(output: str, queue: str) -> str:
    [line] = [line for line in output.splitlines() if line.split()[:1] == [queue]]
    return line.split(maxsplit=1)[1].strip()


def test_without_a_service_every_consumer_is_counted_a_teams_own_too(operator, park):
    park({}, {})
    import_definitions(operator, topology.merge([topology.user(TEAM), topology.consumer(TEAM, ["resource.task.#"])]))
    try:
        park({}, queue=f"{TEAM}.events")
        counts = run("list")
        assert count(counts, "resource.events") == "2"
        assert count(counts, f"{TEAM}.events") == "1"
        assert count(counts, "provider-sync.jobs") == "0"
        assert {"auth.events", "notification.events", "provider-sync.events"} <= set(counts.split())
        assert "Purged 1." in run("purge", TEAM, "--yes")
    finally:
        names = [queue["name"] for queue in topology.consumer(TEAM, [])["queues"]]
        with management(operator) as client:
            for name in names:
                client.delete(f"/api/queues/grove/{name}")
            client.delete(f"/api/exchanges/grove/{TEAM}.internal")
            client.delete(f"/api/users/{TEAM}")


def test_letters_are_listed_with_whole_ids_and_whole_reasons(park):
    reason = "ValueError: [red]not a colour[/] " + "long " * 60 + "end"
    failed = rfc3339(now() - timedelta(hours=3, minutes=1))
    event = {"type": "auth.user.registered.v1", "subject": str(new_id())}
    ids = park(event, event, event, **{"x-grove-reason": reason, "x-grove-attempt": 6, "x-grove-last-failed": failed})
    listed = run("list", "resource", columns=40)
    assert all(f"{name}  auth.user.registered.v1  6 tries, 3 h ago" in listed for name in ids)
    assert f"of {event['subject']}" in listed
    assert f"  {reason}" in listed
    two = run("list", "resource", "--limit", "2")
    assert (ids[1] in two, ids[2] in two, "more than 2" in two) == (True, False, True)
    assert "more than" not in run("list", "resource", "--limit", "3")


def test_one_is_shown_whole_as_json_that_can_be_copied(park):
    event = {"type": "auth.mail.requested.v1", "data": {"sealed": "v1.x[/]", "note": "ß" * 200}}
    [name] = park(event)
    shown = run("show", "resource", name)
    assert json.loads(shown[shown.index("{\n") :]) == event
    assert "No letter none" in run("show", "resource", "none", ends=1)


def test_named_letters_are_handed_back_and_one_that_is_not_there_is_said(park):
    ids = park({}, {}, {})
    assert "Replayed 1." in run("replay", "resource", "--id", ids[1])
    missing = run("replay", "resource", "--id", ids[1], "--id", ids[0], ends=1)
    assert ("Replayed 1." in missing, "1 of the named letters are not there" in missing) == (True, True)
    assert "Replayed 1." in run("replay", "resource")


def test_letters_are_thrown_away_only_after_a_yes(park):
    park({}, {})
    asked = run("purge", "resource", typed="n\n", ends=1)
    assert "Throw away 2 dead letters of resource.events?" in asked
    assert count(run("list"), "resource.events") == "2"
    assert "Purged 2." in run("purge", "resource", typed="y\n")


def test_how_far_a_long_pass_is_is_shown(park, monkeypatch):
    monkeypatch.setattr(dead_letter_commands, "LONG", 2)
    monkeypatch.setattr(dead_letter_commands.console, "_force_terminal", True)
    park({}, {}, {})
    assert "Replaying" in run("replay", "resource")


def test_a_consumer_that_takes_no_more_is_a_sentence_and_nothing_is_lost(park, brokers):
    async def bind(*, bound: bool) -> None:
        async with brokers("operator").connection() as connection:
            channel = await connection.channel()
            queue = await channel.get_queue("resource.events", ensure=False)
            change = queue.bind if bound else queue.unbind
            await change("resource.internal", "resource.events")

    park(*[{}] * 120)
    asyncio.run(bind(bound=False))
    try:
        assert "takes no more now, or is not bound" in run("replay", "resource", ends=1).replace("\n", " ")
    finally:
        asyncio.run(bind(bound=True))
    assert count(run("list"), "resource.events") == "120"
    assert "Replayed 120." in run("replay", "resource")


@pytest.mark.parametrize("words", [("list", "nobody"), ("replay", "nobody"), ("purge", "nobody", "--yes")])
def test_a_consumer_that_is_not_there_is_a_sentence(operator, words):
    assert "no such queue" in run(*words, ends=1).replace("\n", " ")


def test_a_broker_that_is_away_is_a_sentence(operator, tmp_path):
    away = operator.model_dump(mode="json") | {
        "broker_url": "amqps://127.0.0.1:1/grove",
        "broker_management_url": "https://127.0.0.1:1",
    }
    (tmp_path / "operator.json").write_text(json.dumps(away))
    for words in (("list",), ("list", "resource"), ("replay", "resource"), ("purge", "resource", "--yes")):
        said = run(*words, ends=1).replace("\n", " ")
        assert ("can't be reached" in said, "Nothing is lost" in said) == (True, True)
    for words in (("topology", "apply"), ("consumer", "add", TEAM, "--bind", "resource.task.*")):
        done = CliRunner().invoke(event_commands, list(words))
        assert (done.exit_code, "can't be reached" in done.output) == (1, True)
    (tmp_path / "operator.json").unlink()
    assert "GROVE_OPERATOR_FILE" in run("list", ends=1)


def test_an_operator_whom_rabbitmq_does_not_know_is_told(operator, tmp_path):
    (tmp_path / "password").write_text("wrong")
    wrong = operator.model_dump(mode="json") | {"broker_password_file": str(tmp_path / "password")}
    (tmp_path / "operator.json").write_text(json.dumps(wrong))
    assert "does not tell its queues: 401" in run("list", ends=1).replace("\n", " ")
