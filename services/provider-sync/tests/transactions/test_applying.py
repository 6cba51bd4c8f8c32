"""Pages of a provider become rows: each booking once, whatever order its story arrives in, however often."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from grove.core.clock import now
from grove.core.ids import new_id
from grove_provider_sync.accounts.repository import AccountRepository
from grove_provider_sync.models import Account as AccountRow
from grove_provider_sync.models import Balance, Connection, Transaction
from grove_provider_sync.providers.checks import UnreadableAnswer
from grove_provider_sync.providers.interface import AccountData, TransactionData, TransactionPage, Window
from grove_provider_sync.transactions.repository import TransactionRepository

pytestmark = pytest.mark.integration

USER = new_id()
TODAY = date(2026, 7, 1)
EVERYDAY = AccountData("acc-1", "Everyday", "checking", "1234", "EUR", Decimal("10.00"), None)
SAVINGS = replace(EVERYDAY, id="acc-2", name="Savings")


def booking(key: str, **values) -> TransactionData:
    given = {"account_id": "acc-1", "amount": Decimal("-5.00"), "currency": "EUR", "description": key}
    rest = {"category": None, "status": "posted", "booked_at": TODAY}
    return TransactionData(id=key, **given | rest | values)


def page(*changed: TransactionData, removed=(), whole=None) -> TransactionPage:
    return TransactionPage(changed, tuple(removed), "next", False, whole)


@pytest.fixture
async def connection_id(resources):
    row = Connection(id=new_id(), user_id=USER, provider="sandbox", status="active", status_detail="", created_at=now())
    async with resources.sessions.begin() as session:
        session.add(row)
        await session.flush()
        await AccountRepository(session, USER).store(row.id, [EVERYDAY, SAVINGS], now())
    return row.id


@pytest.fixture
def apply(resources, connection_id):
    """Applies a page in a transaction of its own: (added, changed, removed)."""

    async def apply(given: TransactionPage, seen_at=None) -> tuple[int, int, int]:
        async with resources.sessions.begin() as session:
            accounts = await AccountRepository(session, USER).ids(connection_id)
            changes = await TransactionRepository(session, USER).apply(connection_id, accounts, given, seen_at=seen_at)
        return len(changes.added), len(changes.changed), len(changes.removed)

    return apply


@pytest.fixture
def rows(resources):
    async def rows(*, removed: bool = False) -> dict[str, Transaction]:
        wanted = Transaction.removed_at.is_not(None) if removed else Transaction.removed_at.is_(None)
        async with resources.sessions() as session:
            return {row.provider_id: row for row in await session.scalars(select(Transaction).where(wanted))}

    return rows


async def test_a_repeat_changes_nothing(apply, rows):
    assert await apply(page(booking("a"), booking("b"))) == (2, 0, 0)
    before = (await rows())["a"].updated_at
    assert await apply(page(booking("a"), booking("b", amount=Decimal(-5)))) == (0, 0, 0)
    assert await apply(page(booking("a"), booking("b", amount=Decimal(-6)))) == (0, 1, 0)
    assert ((await rows())["a"].updated_at, (await rows())["b"].amount) == (before, Decimal(-6))


async def test_a_removed_booking_keeps_its_row_and_can_come_back(apply, rows):
    await apply(page(booking("a")))
    mine = (await rows())["a"].id
    assert await apply(page(removed=["a", "never heard of"])) == (0, 0, 1)
    assert await apply(page(removed=["a"])) == (0, 0, 0)
    assert list(await rows(removed=True)) == ["a"]
    assert await apply(page(booking("a"))) == (0, 1, 0)
    assert (await rows())["a"].id == mine


PENDING, POSTED = booking("p", status="pending"), booking("q", replaces="p")


@pytest.mark.parametrize(
    "pages",
    [
        [page(PENDING), page(POSTED, removed=["p"])],
        [page(PENDING), page(POSTED), page(removed=["p"])],
        [page(PENDING), page(removed=["p"]), page(POSTED)],
        [page(PENDING, POSTED)],
        [page(POSTED, PENDING)],
        [page(PENDING, POSTED, removed=["p"])],
        [page(POSTED), page(PENDING), page(removed=["p"])],
        [page(PENDING), page(POSTED), page(PENDING), page(POSTED)],
    ],
)
async def test_a_posted_booking_is_there_once_in_whatever_order_its_story_comes(apply, rows, pages):
    for one in pages:
        await apply(one)
    [only] = (await rows()).values()
    assert (only.provider_id, only.status, only.pending_provider_id) == ("q", "posted", "p")


async def test_a_posted_booking_keeps_the_id_that_the_pending_one_had(apply, rows):
    await apply(page(PENDING))
    mine = (await rows())["p"].id
    assert await apply(page(POSTED, removed=["p"])) == (0, 1, 0)
    assert [(row.id, row.pending_provider_id) for row in (await rows()).values()] == [(mine, "p")]


async def test_a_booking_is_not_lost_whose_posted_form_goes_a_page_later(apply, rows):
    await apply(page(PENDING))
    await apply(page(POSTED, removed=["p"]))
    await apply(page(PENDING))
    await apply(page(removed=["q"]))
    assert list(await rows()) == ["p"]


async def test_a_booking_that_is_pending_again_is_shown_again(apply, rows):
    await apply(page(PENDING))
    await apply(page(POSTED, removed=["p"]))
    await apply(page(PENDING, removed=["q"]))
    assert [(row.provider_id, row.status) for row in (await rows()).values()] == [("p", "pending")]
    await apply(page(replace(POSTED, id="r"), removed=["p"]))
    assert list(await rows()) == ["r"]


async def test_bookings_of_accounts_that_are_not_ours_are_passed_over(apply, rows):
    assert await apply(page(booking("a", account_id="acc-9"), booking("b"))) == (1, 0, 0)


async def test_a_window_that_is_whole_removes_what_it_does_not_hold(apply, rows):
    days = [TODAY + timedelta(days=number) for number in range(4)]
    await apply(page(*(booking(f"d{number}", booked_at=day) for number, day in enumerate(days))))
    await apply(page(booking("other", account_id="acc-2", booked_at=days[1])))
    window = Window("acc-1", days[1], days[3])
    assert await apply(page(booking("d1", booked_at=days[1]), whole=window)) == (0, 0, 1)
    assert sorted(await rows()) == ["d0", "d1", "d3", "other"]
    assert await apply(page(whole=window)) == (0, 0, 1)
    assert sorted(await rows()) == ["d0", "d3", "other"]


async def test_pages_and_walks_of_any_size_are_applied(apply, rows, resources, connection_id, monkeypatch):
    many = [booking(f"b{number}") for number in range(9_000)]
    assert (await apply(page(*many)))[0] == len(many)
    mark = now()
    assert await apply(page(*many[:8_900]), seen_at=mark) == (0, 0, 0)
    monkeypatch.setattr("grove_provider_sync.transactions.repository.AT_ONCE", 30)
    async with resources.sessions.begin() as session:
        assert len(await TransactionRepository(session, USER).remove_unseen(connection_id, mark)) == 100
    assert (await apply(page(removed=[item.id for item in many] + ["a\x00b"])))[2] == 8_900
    with pytest.raises(UnreadableAnswer):
        await apply(page(*many, *(booking(f"c{number}") for number in range(2_000))))


async def test_a_walk_from_the_beginning_removes_what_it_has_not_met(apply, rows, resources, connection_id):
    await apply(page(booking("same"), booking("gone"), booking("changed")))
    mark = now() + timedelta(hours=1)  # of a worker whose clock is not ours
    await apply(page(booking("same")), seen_at=mark)
    await apply(page(booking("changed", description="x"), booking("new")), seen_at=mark)
    async with resources.sessions.begin() as session:
        removed = await TransactionRepository(session, USER).remove_unseen(connection_id, mark)
    assert (len(removed), sorted(await rows())) == (1, ["changed", "new", "same"])


@pytest.mark.parametrize(
    "bad",
    [
        {"amount": Decimal("NaN")},
        {"amount": Decimal("Infinity")},
        {"amount": Decimal("1e16")},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"key": ""},
        {"key": "x" * 201},
        {"key": "a\x00b"},
    ],
)
async def test_what_can_not_be_stored_is_refused_whole(apply, rows, bad):
    item = booking(**{"key": "bad"} | bad)
    with pytest.raises(UnreadableAnswer):
        await apply(page(booking("good"), item))
    assert await rows() == {}


async def test_texts_are_made_fit_to_be_stored(apply, rows):
    await apply(page(booking("a", description="a\x00b\n" + "c" * 600, category="d" * 200)))
    row = (await rows())["a"]
    assert (row.description[:4], len(row.description), len(row.category)) == ("a b ", 500, 100)


async def test_a_long_story_in_any_pages_ends_as_the_provider_has_it(apply, rows):
    """Random lives, cut into pages anywhere, each page delivered once or twice, the walk begun anew now and then."""
    for seed in range(12):
        chance = random.Random(seed)  # noqa: S311 - the same at each run
        log, current = story(chance, prefix=f"s{seed}-", steps=60)
        position = 0
        while position < len(log):
            size = chance.randrange(1, 9)
            given = summed_up(log[position : position + size])
            for _ in range(chance.choice((1, 1, 2))):
                await apply(given)
            position += size
            if chance.random() < 0.05:
                position = 0
        found = {key: row for key, row in (await rows()).items() if key.startswith(f"s{seed}-")}
        assert found.keys() == current.keys(), f"seed {seed}"
        assert {key: row.amount for key, row in found.items()} == {key: item.amount for key, item in current.items()}


def summed_up(some: list[tuple[TransactionData | None, str | None]]) -> TransactionPage:
    """A page tells of each booking what became of it last."""
    last = {item.id if item else key: item for item, key in some}
    return page(*(item for item in last.values() if item), removed=[key for key, item in last.items() if item is None])


def story(chance: random.Random, *, prefix: str, steps: int):
    """A change log as a provider keeps it, and what it leads to."""
    current: dict[str, TransactionData] = {}
    log: list[tuple[TransactionData | None, str | None]] = []
    for number in range(steps):
        key, amount = f"{prefix}{number}", Decimal(chance.randrange(1, 10_000)) / 100
        pending = [item for item in current.values() if item.status == "pending"]
        act = chance.choice(("pending", "posted", "post", "change", "remove"))
        if act == "post" and pending:
            old = chance.choice(pending)
            del current[old.id]
            current[key] = booking(key, amount=amount, replaces=old.id)
            steps_of = [(None, old.id), (current[key], None)]
            log += steps_of if chance.random() < 0.5 else reversed(steps_of)
        elif act == "remove" and current:
            gone = chance.choice(list(current))
            del current[gone]
            log.append((None, gone))
        elif act == "change" and current:
            same = chance.choice(list(current))
            current[same] = replace(current[same], amount=amount)
            log.append((current[same], None))
        else:
            current[key] = booking(key, amount=amount, status="pending" if act == "pending" else "posted")
            log.append((current[key], None))
    return log, current


async def test_accounts_are_closed_opened_again_and_leave_a_balance_each_day(resources, connection_id):
    async def store(moment, *accounts):
        async with resources.sessions.begin() as session:
            await AccountRepository(session, USER).store(connection_id, accounts, moment)
            found = await session.scalars(select(AccountRow).order_by(AccountRow.provider_id))
            return [(row.closed_at is not None, row.balance) for row in found]

    tomorrow = now() + timedelta(days=1)
    await store(now(), replace(EVERYDAY, balance=Decimal(11)), SAVINGS)
    assert await store(tomorrow, replace(EVERYDAY, balance=Decimal(12))) == [(False, Decimal(12)), (True, Decimal(10))]
    assert await store(tomorrow, EVERYDAY, SAVINGS) == [(False, Decimal(10)), (False, Decimal(10))]
    async with resources.sessions() as session:
        days = (await session.execute(select(Balance.day, Balance.balance).order_by(Balance.day, text("1")))).all()
    assert sorted((day - now().date()).days for day, _ in days) == [0, 0, 1, 1]
    assert {balance for day, balance in days if day == tomorrow.date()} == {Decimal(10)}
