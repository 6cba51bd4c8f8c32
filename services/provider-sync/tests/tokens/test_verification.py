"""The audit of tokens shows what was done to it."""

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove_provider_sync.tokens import audit, verification
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.verification import TokenChainBroken, verify

pytestmark = pytest.mark.integration


@pytest.fixture(params=[1000, 2], ids=["at once", "in pieces"])
def pieces(request, monkeypatch):
    if request.param == 2:
        for name in ("_ALL", "_ONE"):
            statement = getattr(verification, name)
            monkeypatch.setattr(statement, "_defaults", _with_limit(statement, 2))


def _with_limit(statement, limit: int) -> dict:
    return {name: limit if value == verification.AT_ONCE else value for name, value in statement._defaults.items()}


@pytest.fixture
async def chains(resources, pieces) -> list[Owner]:
    """Two connections with three entries each, written in turns."""
    owners = [Owner(new_id(), new_id(), provider) for provider in ("sandbox", "other")]
    for action in ("tokens_granted", "token_rotated", "tokens_revoked"):
        for owner in owners:
            async with resources.sessions.begin() as session:
                await audit.record(session, action, owner, note="é")
    return owners


@pytest.fixture
def tamper(resources):
    """Does what the database itself refuses."""

    async def tamper(statement: str, **values) -> None:
        async with resources.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE token_audit DISABLE TRIGGER token_audit_stays"))
            await connection.execute(text(statement), values)
            await connection.execute(text("ALTER TABLE token_audit ENABLE TRIGGER token_audit_stays"))

    return tamper


async def test_a_whole_audit_is_counted(resources, chains):
    assert await verify(resources.reads) == 6
    assert await verify(resources.reads, chains[0].connection_id) == 3
    assert await verify(resources.reads, new_id()) == 0


async def test_the_database_itself_refuses_to_change_or_remove(resources, chains):
    for statement in ("UPDATE token_audit SET action = 'x'", "DELETE FROM token_audit"):
        with pytest.raises(Exception, match="only added to"):
            async with resources.engine.begin() as connection:
                await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (
            """UPDATE token_audit SET entry = jsonb_set(entry, '{outcome}', '"failure"') WHERE {it} AND position = 2""",
            2,
        ),
        ("UPDATE token_audit SET action = 'tokens_killed' WHERE {it} AND position = 2", 2),
        ("UPDATE token_audit SET at = at - interval '1 day' WHERE {it} AND position = 3", 3),
        ("UPDATE token_audit SET provider = 'x' WHERE {it} AND position = 1", 1),
        ("UPDATE token_audit SET hash = sha256('x') WHERE {it} AND position = 3", 3),
        ("UPDATE token_audit SET position = 5 WHERE {it} AND position = 3", 3),
        ("DELETE FROM token_audit WHERE {it} AND position = 1", 1),
        ("DELETE FROM token_audit WHERE {it} AND position = 2", 2),
        (
            "DELETE FROM token_audit WHERE {it} AND position = 1;"
            "UPDATE token_audit SET position = position - 1 WHERE {it}",
            1,
        ),
        (
            "UPDATE token_audit SET position = 9 WHERE {it} AND position = 2;"
            "UPDATE token_audit SET position = 2 WHERE {it} AND position = 3;"
            "UPDATE token_audit SET position = 3 WHERE {it} AND position = 9",
            2,
        ),
        ("UPDATE token_audit SET connection_id = uuidv7(), position = 1 WHERE {it} AND position = 3", 1),
    ],
)
async def test_what_was_changed_removed_or_put_elsewhere_is_found(resources, chains, tamper, change, at):
    its = chains[1].connection_id
    for statement in change.split(";"):
        await tamper(statement.replace("{it}", "connection_id = :its"), its=its)
    with pytest.raises(TokenChainBroken) as found:
        await verify(resources.reads)
    assert found.value.position == at
    assert str(found.value.connection_id) in str(found.value)
    assert await verify(resources.reads, chains[0].connection_id) == 3
