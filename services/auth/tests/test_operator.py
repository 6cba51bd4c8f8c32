"""The operator's commands: on the store directly, and in the audit log under the operator's name."""

import asyncio

import pytest
from typer.testing import CliRunner

from grove_auth.cli import commands

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"


@pytest.fixture
def grove(resources, stores, monkeypatch):
    """Run a command: await grove("users", "list")."""
    for name, value in (stores.environment("auth") | {"COLUMNS": "250"}).items():
        monkeypatch.setenv(name, value)

    async def run(*words: str, answer: str | None = None):
        done = await asyncio.to_thread(CliRunner().invoke, commands, list(words), input=answer)
        await resources.start()  # the command bound the documents to a client of its own
        resources.keys.forget()
        return done

    return run


async def me(person) -> int:
    return (await person.client.get(f"{AUTH}/me", headers=person.headers)).status_code


async def test_accounts_are_listed_and_shown(ada, grove):
    listed = await grove("users", "list", "--q", ada.email[:8])
    assert listed.exit_code == 0, listed.output
    assert ada.email in listed.output
    assert ada.email not in (await grove("users", "list", "--blocked")).output
    shown = await grove("users", "show", ada.email)
    assert ada.email in shown.output
    sessions = await grove("sessions", "list", ada.email.upper())
    assert ada.tokens["session_id"] in sessions.output


async def test_what_is_wrong_is_said_without_a_traceback(ada, grove):
    unknown = await grove("users", "show", "nobody@example.com")
    assert (unknown.exit_code, "no account nobody@example.com" in unknown.output) == (1, True)
    past = await grove("users", "block", ada.email, "--reason", "x", "--until", "2020-01-01", "--yes")
    assert (past.exit_code, "must be in the future" in past.output) == (1, True)


async def test_block_unblock_and_the_end_of_sessions(ada, grove, audited, outside):
    refused = await grove("users", "block", ada.email, "--reason", "spam", answer="n\n")
    assert (refused.exit_code, await me(ada)) == (1, 200)
    done = await grove("users", "block", ada.email, "--reason", "spam", "--yes")
    assert done.exit_code == 0, done.output
    assert await me(ada) == 401
    assert (await ada.login()).json()["error"]["code"] == "ACCOUNT_BLOCKED"
    [entry] = await audited("user.blocked")
    assert (entry["actor_id"], entry["detail"]["by"]) == (None, "operator")
    assert (await grove("users", "unblock", ada.email)).exit_code == 0
    await ada.login()
    assert await me(ada) == 200
    assert (await grove("users", "revoke-sessions", ada.email, "--yes")).exit_code == 0
    assert await me(ada) == 401
    assert (await audited("session.ended"))[-1]["detail"]["by"] == "operator"
    assert "auth.user.unblocked.v1" in await outside.facts()


async def test_the_version_is_raised_and_keys_are_rotated(ada, grove, audited, resources):
    assert (await grove("tokens", "raise-version", answer="n\n")).exit_code == 1
    assert await me(ada) == 200
    done = await grove("tokens", "raise-version", "--yes")
    assert done.exit_code == 0, done.output
    await resources.token_versions.current()
    assert await me(ada) == 401
    assert (await audited("token_version.raised"))[-1]["detail"]["by"] == "operator"
    await ada.login()
    rotated = await grove("keys", "rotate")
    assert rotated.exit_code == 0, rotated.output
    assert "next" in (await grove("keys", "list")).output
    again = await grove("keys", "rotate")
    assert (again.exit_code, "under way" in again.output) == (1, True)
    assert await me(ada) == 200
    revoked = await grove("keys", "rotate", "--revoke", "--yes")
    assert revoked.exit_code == 0, revoked.output
    assert await me(ada) == 401
    assert (await ada.refresh()).status_code == 200
    assert await resources.database["signing_keys"].count_documents({}) == 1
