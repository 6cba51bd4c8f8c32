"""Tokens that nothing uses any more: given back, or destroyed in time, and each end of them is in the audit."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.core.tasks import end as end_task
from grove_provider_sync.models import TokenAudit, TokenRevocation
from grove_provider_sync.providers.interface import Description, ProviderRefused, ProviderThrottled, Tokens
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import revoker as revoker_module
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.revoker import TokenRevoker
from grove_provider_sync.tokens.revoking import end, queue

pytestmark = pytest.mark.integration
REVOKE = {"path": "/oauth/revoke"}


class Bank:
    """A provider that does with tokens what a test wants, and counts how often it is asked."""

    description = Description("bank", "Bank", "bank", ())

    def __init__(self, revoke=None) -> None:
        self.asked: list[Tokens] = []
        self._revoke = revoke

    async def revoke(self, tokens: Tokens) -> None:
        self.asked.append(tokens)
        if isinstance(self._revoke, Exception):
            raise self._revoke
        if self._revoke is not None:
            await self._revoke()


@pytest.fixture
def offer(resources, monkeypatch):
    """Has a provider of the test's own offered."""

    def offer(bank: Bank) -> Bank:
        monkeypatch.setitem(resources.providers._providers, bank.description.key, bank)
        return bank

    return offer


@pytest.fixture
def wait(resources):
    """Has tokens wait; the revocation's id."""

    async def wait(provider: str = "bank", **changes):
        async with resources.sessions.begin() as session:
            await queue(session, resources, Owner(new_id(), new_id(), provider), Tokens("access", "refresh", None))
            row_id = await session.scalar(select(TokenRevocation.id).order_by(TokenRevocation.id.desc()).limit(1))
            if changes:
                await session.execute(update(TokenRevocation).where(TokenRevocation.id == row_id).values(**changes))
        return row_id

    return wait


@pytest.fixture
def left(resources):
    """The rows that wait."""

    async def left() -> list[TokenRevocation]:
        async with resources.sessions() as session:
            return list(await session.scalars(select(TokenRevocation).order_by(TokenRevocation.id)))

    return left


@pytest.fixture
def ends(resources):
    """How tokens ended, by the audit: action and reason."""

    async def ends() -> list[tuple[str, str | None]]:
        async with resources.sessions() as session:
            rows = await session.scalars(select(TokenAudit).where(TokenAudit.action.in_(_ENDS)).order_by(TokenAudit.id))
            return [(row.action, row.entry["detail"].get("reason")) for row in rows]

    return ends


_ENDS = ("tokens_revoked", "tokens_destroyed")


async def test_the_provider_forgets_them_and_they_are_destroyed(user, resources, world, left, ends):
    connection = await user.connect()
    await user.call("DELETE", f"/connections/{connection['id']}")
    [row] = await left()
    assert str(row.connection_id) == connection["id"]
    revoker = TokenRevoker(resources)
    assert await revoker.revoke_due(resources.providers.get("sandbox")) == 1
    assert (await left(), await ends()) == ([], [("tokens_revoked", None)])


async def test_no_transaction_is_open_while_the_provider_is_asked(resources, offer, wait, left):
    async def look() -> None:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        async with resources.engine.connect() as connection:
            open_ones.append(await connection.scalar(text(idle)))

    open_ones = []
    bank = offer(Bank(look))
    await wait()
    await TokenRevoker(resources).revoke_due(bank)
    assert (open_ones, await left()) == ([0], [])


async def test_several_workers_ask_once(settings, offered, resources, offer, wait, ends):
    bank = offer(Bank(lambda: asyncio.sleep(0.05)))
    for _ in range(20):
        await wait()
    others = [Resources(settings, offered) for _ in range(3)]

    async def work(own: Resources) -> None:
        revoker = TokenRevoker(own)
        while await revoker.revoke_due(bank):
            pass

    await asyncio.gather(*(work(own) for own in others))
    assert (len(bank.asked), await ends()) == (20, [("tokens_revoked", None)] * 20)
    for own in others:
        await own.aclose()


async def test_a_worker_that_dies_lets_go_with_its_lease(resources, offer, wait, left, ends):
    stuck = offer(Bank(asyncio.Event().wait))
    await wait()
    dying = asyncio.create_task(TokenRevoker(resources).revoke_due(stuck))
    async with asyncio.timeout(5):
        while not stuck.asked:
            await asyncio.sleep(0.01)
    await end_task(dying)
    bank = offer(Bank())
    assert await TokenRevoker(resources).revoke_due(bank) == 0, "its lease still holds"
    async with resources.sessions.begin() as session:
        await session.execute(update(TokenRevocation).values(next_attempt_at=now()))
    assert await TokenRevoker(resources).revoke_due(bank) == 1
    assert (await left(), await ends()) == ([], [("tokens_revoked", None)])


async def test_a_worker_that_was_overtaken_has_no_say_any_more(resources, offer, wait, left):
    until = now() + timedelta(minutes=5)

    async def overtaken() -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(TokenRevocation).values(next_attempt_at=until))
        raise UpstreamError("away")

    bank = offer(Bank(overtaken))
    await wait()
    await TokenRevoker(resources).revoke_due(bank)
    [row] = await left()
    assert (row.attempts, row.next_attempt_at) == (0, until)


@pytest.mark.parametrize(
    ("error", "attempts", "at_least", "at_most"),
    [
        (UpstreamError("away"), 1, 2.5, 7.5),
        (ValueError("unreadable"), 1, 2.5, 7.5),
        (ProviderThrottled(120), 0, 120, 144),
    ],
)
async def test_a_failure_is_tried_again_later_and_a_pause_is_kept(
    resources, offer, wait, left, error, attempts, at_least, at_most
):
    bank = offer(Bank(error))
    await wait()
    before = now()
    await TokenRevoker(resources).revoke_due(bank)
    [row] = await left()
    assert row.attempts == attempts
    assert timedelta(seconds=at_least) <= row.next_attempt_at - before
    assert row.next_attempt_at - now() <= timedelta(seconds=at_most)


def test_pauses_grow_to_an_hour_and_differ():
    for attempt, least, most in ((1, 2.5, 7.5), (4, 2.5, 42.5), (12, 2.5, 3600), (60, 2.5, 3600)):
        pauses = {revoker_module._pause(attempt) for _ in range(200)}
        assert least <= min(pauses) < max(pauses) <= most
        assert len(pauses) > 50 or max(pauses) == 3600


async def test_a_refusal_means_forgotten_already(resources, offer, wait, left, ends):
    bank = offer(Bank(ProviderRefused()))
    await wait()
    await TokenRevoker(resources).revoke_due(bank)
    assert (await left(), await ends()) == ([], [("tokens_revoked", None)])


async def test_a_provider_that_does_not_answer_is_asked_again(settings, offered, offer, wait, left, resources):
    hurried = Resources(
        settings.model_copy(update={"provider_total_seconds": 0.05, "provider_wait_seconds": 0}), offered
    )
    bank = offer(Bank(asyncio.Event().wait))
    await wait()
    await TokenRevoker(hurried).revoke_due(bank)
    [row] = await left()
    assert row.attempts == 1
    await hurried.aclose()


async def test_when_the_time_is_over_they_are_destroyed_after_a_last_try(resources, offer, wait, left, ends):
    bank = offer(Bank(UpstreamError("away")))
    await wait(give_up_at=now() + timedelta(seconds=1))
    await TokenRevoker(resources).revoke_due(bank)
    [row] = await left()
    assert row.next_attempt_at <= row.give_up_at, "no try is put off beyond the end"
    async with resources.sessions.begin() as session:
        await session.execute(update(TokenRevocation).values(give_up_at=now(), next_attempt_at=now()))
    await TokenRevoker(resources).revoke_due(bank)
    assert (len(bank.asked), await left()) == (2, [])
    assert await ends() == [("tokens_destroyed", "the provider could not be told in time")]


async def test_what_waited_too_long_is_given_back_if_the_provider_is_there_now(resources, offer, wait, ends):
    bank = offer(Bank())
    await wait(give_up_at=now() - timedelta(hours=5))
    await TokenRevoker(resources).revoke_due(bank)
    assert await ends() == [("tokens_revoked", None)]


async def test_what_can_not_be_read_is_destroyed(resources, offer, wait, left, ends):
    bank = offer(Bank())
    other = await wait()
    [row] = await left()
    await wait(sealed_tokens=row.sealed_tokens)
    async with resources.sessions.begin() as session:
        await end(session, other)
    await TokenRevoker(resources).revoke_due(bank)
    assert (bank.asked, await left()) == ([], [])
    assert (await ends())[-1] == ("tokens_destroyed", "they could not be read")


async def test_of_a_provider_that_is_not_offered_any_more_they_are_destroyed(
    resources, offer, wait, left, ends, monkeypatch
):
    offer(Bank())
    await wait()
    monkeypatch.delitem(resources.providers._providers, "bank")
    revoker = TokenRevoker(resources)
    assert await revoker.revoke_due(None) == 1
    assert (await left(), await ends()) == ([], [("tokens_destroyed", "the provider is no longer offered")])


async def test_a_provider_that_hangs_holds_up_no_other(user, resources, offer, wait, left):
    stuck = offer(Bank(asyncio.Event().wait))
    for _ in range(30):
        await wait()
    await user.call("DELETE", f"/connections/{(await user.connect())['id']}")
    running = asyncio.create_task(TokenRevoker(resources).run())
    async with asyncio.timeout(20):
        while {row.provider for row in await left()} != {"bank"}:
            await asyncio.sleep(0.02)
    assert len(stuck.asked) == revoker_module.AT_ONCE
    assert len(await left()) == 30
    await end_task(running)


async def test_metrics_and_health_tell_what_waits(resources, offer, wait):
    from grove_provider_sync.tokens import metrics

    revoker = TokenRevoker(resources)
    assert await revoker.check() is None
    assert (metrics.WAITING._value.get(), metrics.OLDEST._value.get()) == (0, 0)
    offer(Bank())
    await wait()
    await wait(created_at=now() - timedelta(hours=2))
    assert "2.0 h" in await revoker.check()
    assert metrics.WAITING._value.get() == 2
    assert metrics.OLDEST._value.get() >= 7200


async def test_a_store_that_is_away_is_waited_for(resources, offer, wait, left, monkeypatch):
    bank = offer(Bank())
    await wait()
    whole, failed = revoker_module.end, asyncio.Event()

    async def away(*arguments, **named) -> bool:
        monkeypatch.setattr(revoker_module, "end", whole)
        failed.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(revoker_module, "end", away)
    await TokenRevoker(resources).revoke_due(bank)
    assert failed.is_set()
    [row] = await left()
    assert row.next_attempt_at > now(), "the lease holds, and then it is tried again"


async def test_two_ends_of_one_connection_at_one_time_both_go_into_its_chain(resources, offer, left, ends):
    offer(Bank())
    owner = Owner(new_id(), new_id(), "bank")
    async with resources.sessions.begin() as session:
        for _ in range(2):
            await queue(session, resources, owner, Tokens("access", "refresh", None))
    first, second = [row.id for row in await left()]

    async def other() -> None:
        async with resources.sessions.begin() as session:
            assert await end(session, second)

    async with resources.sessions.begin() as session:
        assert await end(session, first)
        waiting = asyncio.create_task(other())
        async with resources.engine.connect() as connection, asyncio.timeout(10):
            while not await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                await asyncio.sleep(0.02)
    await waiting
    assert (await left(), await ends()) == ([], [("tokens_revoked", None)] * 2)
