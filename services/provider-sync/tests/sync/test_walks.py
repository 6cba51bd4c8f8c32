"""Walks through pages: they begin anew when the data moves, from the beginning when that does not help, they end when
pages repeat, and make room when they take long. The provider here plays a script; what the sandbox plays is beside it.
"""

from collections import deque
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_provider_sync.models import Account, Connection, SyncRun, Transaction
from grove_provider_sync.providers.interface import (
    AccountData,
    CursorRefused,
    Description,
    HistoryChanged,
    ProviderRefused,
    ProviderThrottled,
    Tokens,
    TransactionData,
    TransactionPage,
)
from grove_provider_sync.sync import pages as module
from grove_provider_sync.sync.runner import SyncRunner
from grove_provider_sync.tokens import sealing

pytestmark = pytest.mark.integration

USER = new_id()
Step = TransactionPage | Exception | Callable[[str | None], TransactionPage]


class Script:
    """An adapter whose pages are written in advance. `asked`: the cursors that it was asked for."""

    def __init__(self, *steps: Step, **description) -> None:
        self.description = Description("scripted", "Script Bank", "bank", (), **description)
        self.steps = deque(steps)
        self.asked: list[str | None] = []
        self.accounts_asked = 0
        self.listed = [AccountData("a", "Everyday", "checking", None, "EUR", Decimal(1), None)]

    async def accounts(self, _: str) -> list[AccountData]:
        self.accounts_asked += 1
        return list(self.listed)

    async def transactions(self, _: str, cursor: str | None) -> TransactionPage:
        self.asked.append(cursor)
        step = self.steps.popleft()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, TransactionPage) else step(cursor)

    async def aclose(self) -> None:
        """Nothing is open."""


def page(*ids: str, to: str, more: bool = True, account: str = "a", removed=()) -> TransactionPage:
    given = {"account_id": account, "amount": Decimal(1), "currency": "EUR", "description": "d", "category": None}
    made = (TransactionData(id=each, **given, status="posted", booked_at=date(2026, 7, 1)) for each in ids)
    return TransactionPage(tuple(made), tuple(removed), to, more)


@pytest.fixture
def play(resources):
    """Runs a script for one connection; how that and its run stand, and what bookings it has."""
    made: list[Connection] = []

    async def play(script: Script) -> tuple[Connection, SyncRun, list[str]]:
        resources.providers._providers["scripted"] = script
        async with resources.sessions.begin() as session:
            if not made:
                given = {"provider": "scripted", "status": "active", "status_detail": "", "token_version": 0}
                made.append(Connection(id=new_id(), user_id=USER, created_at=now(), **given))
                sealing.store(resources.token_cipher, made[0], Tokens("t", None, None))
                session.add(made[0])
                await session.flush()
            open_run = await session.scalar(select(SyncRun).where(SyncRun.status == "queued"))
            if open_run is not None:
                open_run.not_before = None  # its time has come
            else:
                queued = {"trigger": "scheduled", "status": "queued", "created_at": now()}
                session.add(SyncRun(id=new_id(), connection_id=made[0].id, user_id=USER, **queued))
        await SyncRunner(resources).run(made[0].id)
        async with resources.sessions() as session:
            run = await session.scalar(select(SyncRun).order_by(SyncRun.id.desc()))
            there = select(Transaction.provider_id).where(Transaction.removed_at.is_(None))
            found = sorted(await session.scalars(there))
            return await session.get(Connection, made[0].id), run, found

    yield play
    resources.providers._providers.pop("scripted", None)


async def test_a_walk_whose_data_moved_begins_anew_where_it_began(play):
    first = Script(page("1", to="b", more=False))
    await play(first)
    script = Script(page("2", to="c"), HistoryChanged(), page("2", "3", to="c"), page("4", to="d", more=False))
    connection, run, found = await play(script)
    assert script.asked == ["b", "c", "b", "c"]
    assert (run.status, run.restarts, run.added, found) == ("completed", 1, 3, ["1", "2", "3", "4"])
    assert (connection.cursor, connection.loop_cursor) == ("d", "d")


async def test_a_walk_that_moves_again_and_again_is_read_from_the_beginning(play):
    await play(Script(page("1", "gone", to="b", more=False)))
    moving = [step for _ in range(module.MAX_RESTARTS) for step in (page("2", to="c"), HistoryChanged())]
    script = Script(*moving, page("1", "2", to="x"), page("3", to="y", more=False))
    connection, run, found = await play(script)
    assert script.asked[-2:] == [None, "x"]
    assert (run.status, run.removed, found) == ("completed", 1, ["1", "2", "3"])
    assert (connection.cursor, connection.whole_since) == ("y", None)


async def test_data_that_never_holds_still_fails_the_run_and_keeps_the_place(play):
    await play(Script(page("1", to="b", more=False)))
    moving = [step for _ in range(2 * module.MAX_RESTARTS) for step in (page("2", to="c"), HistoryChanged())]
    connection, run, _ = await play(Script(*moving))
    assert (run.status, run.error_code, connection.status) == ("failed", "history_changes", "error")
    assert connection.cursor is None, "the next run reads everything"


async def test_what_a_broken_first_walk_has_met_may_be_gone_in_the_second(play):
    script = Script(page("1", "gone", to="b"), HistoryChanged(), page("1", to="c", more=False))
    _, run, found = await play(script)
    assert (script.asked, run.removed, found) == ([None, "b", None], 1, ["1"])


async def test_a_cursor_that_is_not_known_any_more_is_replaced_by_a_walk_from_the_beginning(play):
    await play(Script(page("1", "gone", to="b", more=False)))
    script = Script(CursorRefused(), page("1", "2", to="x", more=False))
    _, run, found = await play(script)
    assert (script.asked, run.status, found) == (["b", None], "completed", ["1", "2"])


async def test_a_provider_that_refuses_even_the_beginning_has_failed(play):
    connection, run, _ = await play(Script(CursorRefused()))
    assert (run.status, run.error_code, connection.status) == ("failed", "unavailable", "error")


async def test_a_provider_that_does_not_list_all_loses_nothing_by_a_walk_from_the_beginning(play):
    await play(Script(page("old", to="b", more=False), lists_all=False))
    _, run, found = await play(Script(CursorRefused(), page("new", to="x", more=False), lists_all=False))
    assert (run.removed, found) == (0, ["new", "old"])


@pytest.mark.parametrize("cursors", [["b", "b"], ["b", "c", "b"], ["b", "c", "d", "c"]])
async def test_pages_that_repeat_end_the_run(play, cursors):
    script = Script(*(page(f"{number}", to=to) for number, to in enumerate(cursors)), *(page("x", to="z"),) * 3)
    _, run, _ = await play(script)
    assert (run.status, run.error) == ("failed", "Script Bank sends the same pages again and again.")


async def test_pages_without_end_end_the_run(play, monkeypatch):
    monkeypatch.setattr(module, "MAX_PAGES", 5)
    _, run, _ = await play(Script(*(page(f"{number}", to=f"{number}") for number in range(20))))
    assert (run.status, run.pages) == ("failed", 5)


async def test_a_long_walk_makes_room_and_goes_on_where_it_was(play, resources, monkeypatch):
    monkeypatch.setattr(module, "SLICE_SECONDS", -1)
    script = Script(page("1", to="b"), page("2", to="c"), page("3", to="d", more=False))
    connection, run, found = await play(script)
    assert (run.status, connection.lease_until, found) == ("queued", None, ["1"])
    assert run.not_before <= now()
    await play(script)
    connection, run, found = await play(script)
    assert (run.status, run.pages, run.added, found) == ("completed", 3, 3, ["1", "2", "3"])
    assert (await outbox_types(resources.engine)).count("provider_sync.run.completed.v1") == 1


async def test_an_account_that_opens_midway_is_fetched_with_its_bookings(play, resources):
    script = Script()
    other = AccountData("new", "Savings", "savings", None, "EUR", None, None)

    def opens(_: str | None) -> TransactionPage:
        script.listed.append(other)
        return page("2", to="c", more=False, account="new")

    script.steps += [page("1", to="b"), opens]
    _, run, found = await play(script)
    assert (run.status, found) == ("completed", ["1", "2"])
    async with resources.sessions() as session:
        assert len((await session.scalars(select(Account))).all()) == 2


async def test_an_account_that_is_not_listed_any_more_is_asked_for_once_and_kept_as_closed(play):
    pages = [page(f"{number}", to=f"{number}", account="closed since") for number in range(3)]
    script = Script(*pages, page("4", to="z", more=False))
    _, run, found = await play(script)
    assert (run.status, script.accounts_asked, found) == ("completed", 2, ["0", "1", "2", "4"])


async def test_bookings_of_an_account_that_is_not_listed_yet_are_not_lost(play, resources):
    script = Script(page("1", to="b", more=False))
    listed, script.listed = script.listed, []
    await play(script)
    script.listed = listed
    script.steps.append(page(to="c", more=False))
    _, _, found = await play(script)
    assert found == ["1"]
    async with resources.sessions() as session:
        account = await session.scalar(select(Account))
    assert (account.name, account.closed_at) == ("Everyday", None)


async def test_a_pause_puts_a_run_off_and_is_no_failure(play):
    script = Script(page("1", to="b"), ProviderThrottled(77), page("2", to="c", more=False))
    connection, run, found = await play(script)
    assert (run.status, connection.status, connection.failures, found) == ("queued", "active", 0, ["1"])
    assert timedelta(seconds=70) < run.not_before - now() < timedelta(seconds=77 * 1.3)
    assert connection.status_detail == "Script Bank asked for a pause; it goes on by itself."
    connection, run, found = await play(script)
    assert (script.asked, run.status, found) == ([None, "b", "b"], "completed", ["1", "2"])
    assert connection.status_detail == "Up to date."


async def test_pauses_without_end_are_a_failure(play, resources):
    script = Script(*(ProviderThrottled(60) for _ in range(2)))
    await play(script)
    async with resources.sessions.begin() as session:
        run = await session.scalar(select(SyncRun))
        run.created_at = run.started_at = now() - timedelta(hours=7)
    connection, run, _ = await play(script)
    assert (run.status, run.error_code, connection.status) == ("failed", "throttled", "error")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (KeyError("amount"), "fault"),
        (TimeoutError(), "unavailable"),
        (FileNotFoundError(), "unavailable"),
        (page("1", to="a\x00b"), "unavailable"),
        (page("1", to="x" * 200_000), "unavailable"),
    ],
)
async def test_what_an_adapter_stumbles_over_ends_the_run(play, step, code):
    connection, run, _ = await play(Script(step, page(to="z", more=False)))
    assert (run.status, run.error_code, connection.failures) == ("failed", code, 1)
    assert "amount" not in connection.status_detail


async def test_each_failure_waits_longer_and_the_third_counts_as_failing(play, resources):
    for failures in (1, 2, 3):
        connection, run, _ = await play(Script(UpstreamError("Script Bank answered 500.")))
        assert (connection.failures, connection.status) == (failures, "error")
        assert connection.status_detail == "Script Bank answered 500. It is tried again by itself."
        assert run.error == "Script Bank answered 500."
    assert timedelta(seconds=25) < connection.next_sync_at - now() < timedelta(seconds=30 + 240)
    await play(Script(page("1", to="b", more=False)))
    types = await outbox_types(resources.engine)
    assert types.count("provider_sync.run.failed.v1") == 3
    assert types[-1] == "provider_sync.connection.recovered.v1"


async def test_what_failed_a_thousand_times_is_still_tried_again(play, resources):
    await play(Script(UpstreamError("x")))
    async with resources.sessions.begin() as session:
        (await session.scalar(select(Connection))).failures = 9_999
    for _ in range(2):
        connection, run, _ = await play(Script(UpstreamError("x")))
        assert (run.status, connection.failures) == ("failed", 10_000)
    assert connection.next_sync_at < now() + timedelta(hours=7)


async def test_access_that_is_given_anew_meanwhile_is_not_lost(play, resources):
    script = Script()

    async def refused(_: str) -> list[AccountData]:
        async with resources.sessions.begin() as session:
            (await session.scalar(select(Connection))).linked_at = now()
        raise ProviderRefused

    script.accounts = refused
    connection, run, _ = await play(script)
    assert (run.status, connection.status) == ("queued", "active")


async def test_a_failure_or_two_are_not_worth_a_recovery(play, resources):
    await play(Script(UpstreamError("Script Bank answered 500.")))
    await play(Script(page("1", to="b", more=False)))
    assert "provider_sync.connection.recovered.v1" not in await outbox_types(resources.engine)


async def test_news_that_come_while_a_run_is_under_way_are_fetched_by_another(play, resources, monkeypatch):
    whole = module.Pages._apply

    async def with_news(self, cursor, given):
        await whole(self, cursor, given)
        async with resources.sessions.begin() as session:
            (await session.scalar(select(Connection))).news_at = now()

    with monkeypatch.context() as patch:
        patch.setattr(module.Pages, "_apply", with_news)
        connection, _, _ = await play(Script(page("1", to="b", more=False)))
    assert connection.next_sync_at <= now()
    connection, _, _ = await play(Script(page("2", to="c", more=False)))
    assert connection.next_sync_at > now(), "this one began after them"


async def test_a_run_that_lost_its_lease_changes_nothing_more(play, resources, monkeypatch):
    script = Script(page("1", to="b"), page("late", to="c", more=False))
    whole = module.Pages._apply

    async def overtaken(self, cursor, given):
        if cursor == "b":
            async with resources.sessions.begin() as session:
                (await session.scalar(select(Connection))).leased_by = new_id()
        await whole(self, cursor, given)

    monkeypatch.setattr(module.Pages, "_apply", overtaken)
    connection, run, found = await play(script)
    assert (run.status, connection.cursor, found) == ("running", "b", ["1"])
