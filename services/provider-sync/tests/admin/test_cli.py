"""The operator's commands: on the store directly."""

import asyncio

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from grove.core.ids import new_id
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.cli import commands

pytestmark = pytest.mark.integration


@pytest.fixture
def grove(resources, stores, sandbox, monkeypatch):
    """Run a command: await grove("list")."""
    own = {"SANDBOX_URL": sandbox, "COLUMNS": "250"}
    for name, value in (stores.environment("provider-sync") | own).items():
        monkeypatch.setenv(name, value)

    async def run(*words: str, answer: str | None = None):
        return await asyncio.to_thread(CliRunner().invoke, commands, list(words), input=answer)

    return run


def line(output: str, word: str) -> str:
    """The line of a table that has the word."""
    [found] = [line for line in output.splitlines() if word in line]
    return found


async def test_providers_are_listed_with_what_waits(user, grove):
    await user.connect()
    listed = await grove("list")
    assert listed.exit_code == 0, listed.output
    shown = line(listed.output, "sandbox")
    assert "active 1" in shown
    assert " yes " in shown


async def test_connections_are_listed_by_what_is_wanted(user, stranger, grove):
    first, second = await user.connect(), await stranger.begin()
    listed = await grove("connections")
    assert listed.output.index(second["id"]) < listed.output.index(first["id"])
    for words, found, other in (
        (("--status", "active"), first, second),
        (("--user", str(stranger.id)), second, first),
    ):
        listed = await grove("connections", *words)
        assert found["id"] in listed.output
        assert other["id"] not in listed.output
    assert first["id"] not in (await grove("connections", "--provider", "elsewhere")).output


async def test_long_lists_go_on(user, grove, resources):
    await user.begin()
    async with resources.sessions.begin() as session:
        more = """INSERT INTO connections (id, user_id, provider, status, status_detail, created_at)
          SELECT gen_random_uuid(), :user, 'sandbox', 'revoked', '', now() FROM generate_series(1, 100)"""
        await session.execute(text(more), {"user": user.id})
    first = await grove("connections")
    cursor = line(first.output, "More: ").split()[-1]
    rest = await grove("connections", "--cursor", cursor)
    assert (first.output.count(str(user.id)), rest.output.count(str(user.id))) == (100, 1)
    assert "More: " not in rest.output


async def test_all_access_is_ended_when_it_is_meant(user, grove, stored, resources):
    await user.connect()
    refused = await grove("revoke-all", "sandbox", "--reason", "A breach.", answer="n\n")
    assert (refused.exit_code, await DeadTokenSweep(resources).sweep()) == (1, 0)
    done = await grove("revoke-all", "sandbox", "--reason", "A breach.", "--yes")
    assert done.exit_code == 0, done.output
    assert "Ended the access of one connection to sandbox." in done.output
    assert await DeadTokenSweep(resources).sweep() == 1
    assert [each.status for each in await stored()] == ["needs_reauth"]


async def test_one_connections_access_is_ended(user, stranger, grove, stored):
    connection, other = await user.connect(), await stranger.connect()
    done = await grove("revoke", connection["id"], "--reason", "Asked for by phone.", answer="y\n")
    assert done.exit_code == 0, done.output
    [ended], [goes_on] = await stored(connection["id"]), await stored(other["id"])
    assert (ended.status, goes_on.status) == ("needs_reauth", "active")
    shown = line((await grove("audit", "show", connection["id"])).output, "tokens_killed")
    assert "Asked for by phone." in shown


async def test_what_is_wrong_is_said_without_a_traceback(grove):
    for words, told in (
        (("revoke-all", "nobank", "--reason", "x", "--yes"), "no provider with this key"),
        (("revoke", str(new_id()), "--reason", "x", "--yes"), "no connection with this id"),
        (("connections", "--status", "lost"), "status: Input should be"),
        (("connections", "--cursor", "mine"), "Not done:"),
    ):
        answer = await grove(*words)
        assert (answer.exit_code, told in answer.output) == (1, True), answer.output


async def test_a_store_that_is_away_is_said_to_be(grove, monkeypatch):
    monkeypatch.setenv("DATABASE_PORT", "1")
    answer = await grove("list")
    assert (answer.exit_code, "does not answer" in answer.output) == (1, True), answer.output


async def test_the_audit_is_verified(user, grove, resources):
    connection = await user.connect()
    whole = await grove("audit", "verify")
    assert (whole.exit_code, "The audit is whole. 1 entries." in whole.output) == (0, True), whole.output
    async with resources.sessions.begin() as session:
        await session.execute(text("ALTER TABLE token_audit DISABLE TRIGGER token_audit_stays"))
        await session.execute(text("UPDATE token_audit SET provider = 'another'"))
        await session.execute(text("ALTER TABLE token_audit ENABLE TRIGGER token_audit_stays"))
    for words in ((), (connection["id"],)):
        broken = await grove("audit", "verify", *words)
        assert broken.exit_code == 1
        assert f"The audit of connection {connection['id']} breaks at entry 1" in broken.output
