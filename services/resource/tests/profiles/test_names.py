"""Whose name is whose."""

import asyncio
import itertools

import pytest
from sqlalchemy import event, insert, select

from grove.contracts.auth import UserEmailChanged, UserRegistered, UserUpdated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove_resource.consumers import handlers
from grove_resource.models import Profile, User
from grove_resource.profiles.names import free_name, made_up, name_key, numbered, usable

pytestmark = pytest.mark.integration
USER = new_id()


@pytest.fixture
def names(resources):
    """user → (name, provisional)."""

    async def names() -> dict:
        async with resources.sessions() as session:
            rows = await session.execute(select(Profile.user_id, Profile.name, Profile.provisional))
            return {row.user_id: (row.name, row.provisional) for row in rows}

    return names


@pytest.fixture
def many(resources):
    """So many people have a name already, the first without a number."""

    async def many(name: str, count: int) -> None:
        rows = [name, *(numbered(name, number) for number in range(2, count + 1))]
        async with resources.sessions.begin() as session:
            await session.execute(
                insert(Profile),
                [
                    {
                        "user_id": new_id(),
                        "name": row,
                        "name_key": name_key(row),
                        "provisional": False,
                        "bio": "",
                        "created_at": now(),
                        "updated_at": now(),
                    }
                    for row in rows
                ],
            )

    return many


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "aDA"),
        ("Straße", "STRASSE"),
        ("Ａｄａ", "ada"),
        ("Ada  Lovelace", "ada lovelace"),
        ("A\u200bda", "Ada"),
        ("Zoe\u034f\u0308", "zoë"),
        *((f"A{char}da", "Ada") for char in "\u034f\u115f\u17b4\u180b\u180f\u2800\u3164\uffa0\U000e0100\U000e0001"),
        ("Zoe\u0308", "zoë"),
        ("\ufdfa" * 100, "\ufdfa" * 100),
    ],
)
def test_names_that_look_alike_are_one(one, other):
    assert name_key(one) == name_key(other)
    assert len(name_key(one)) <= 300


def test_names_that_differ_are_two():
    assert len({name_key(name) for name in ("Ada", "Adá", "Ada2", "\ufdfa" * 100, "\ufdfa" * 99)}) == 5


@pytest.mark.parametrize("name", ["", " ", "A", "\u200b\u200b", "\u3164\u2800", "a\nb", "x\u202ey"])
def test_what_is_no_name_is_replaced(name):
    assert usable(name, USER) == made_up(USER)


def test_numbers_fit():
    assert numbered("a" * 100, 12) == "a" * 97 + "-12"
    assert usable("a" * 130, USER) == "a" * 100


@pytest.mark.parametrize("count", [1, 2, 5, 33, 34, 63, 64, 65, 1000, 65_537])
async def test_the_first_number_behind_a_row_is_found_with_few_questions(count):
    there = {name_key("Ada")} | {name_key(numbered("Ada", number)) for number in range(2, count + 1)}
    asked = []

    async def taken(keys: list[str]) -> set[str]:
        asked.append(len(keys))
        return there & set(keys)

    assert await free_name("Ada", taken) == f"Ada-{count + 1}"
    assert len(asked) <= 6
    assert max(asked) <= 65


async def test_a_taken_name_gets_a_number(ada, bob, person, register):
    eve, long, longer = person(), person(), person()
    for who, name in ((ada, "Ada"), (bob, "ADA"), (eve, "ada"), (long, "x" * 100), (longer, "x" * 100)):
        await register(who, name)
    assert [(await who.profile())["name"] for who in (ada, bob, eve)] == ["Ada", "ADA-2", "ada-3"]
    assert (await longer.profile())["name"] == "x" * 98 + "-2"


async def test_a_popular_name_costs_few_statements(ada, many, register, resources):
    await many("Ada", 3000)
    statements = []
    listener = (resources.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    event.listen(*listener)
    try:
        await register(ada, "Ada")
    finally:
        event.remove(*listener)
    assert (await ada.profile())["name"] == "Ada-3001"
    assert len([statement for statement in statements if "profiles" in statement]) <= 12


async def test_many_with_one_name_at_once_all_get_one(resources, names):
    users = [new_id() for _ in range(12)]

    async def one(user_id) -> None:
        data = UserRegistered(
            user_id=user_id,
            email="a@example.com",
            name="Ada",
            locale="en",
            timezone="UTC",
            roles=["user"],
            registered_at=now(),
        )
        work = handlers(resources).parse(outbox_event("auth", data, sequence=1).body)
        assert await resources.inbox.apply([work]) == [work]

    await asyncio.gather(*map(one, users))
    expected = {"Ada", *(f"Ada-{number}" for number in range(2, 13))}
    assert {name for name, _ in (await names()).values()} == expected


async def test_an_unknown_user_is_made_once(ada, names):
    answers = await asyncio.gather(*(ada.call("GET") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert await names() == {ada.id: (f"user-{ada.id.hex[-8:]}", True)}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/profile", 200),
        ("GET", "/profile/photo", 404),
        ("DELETE", "/profile/photo", 204),
    ],
)
async def test_any_route_makes_it(ada, names, method, path, status):
    assert (await ada.call(method, path)).status_code == status
    assert list(await names()) == [ada.id]


async def test_a_made_up_name_that_is_taken_gets_a_number(ada, bob):
    await bob.replace(name=f"USER-{ada.id.hex[-8:]}")
    assert (await ada.profile())["name"] == f"user-{ada.id.hex[-8:]}-2"


async def test_registration_brings_the_name_late(ada, bob, register, told):
    await bob.replace(name="Ada")
    await ada.profile()
    await register(ada, "Ada")
    assert (await ada.profile())["name"] == "Ada-2"
    assert await told() == [(["name"], 2), (["name"], 2)]


async def test_a_name_of_ones_own_stays(ada, register, names):
    await ada.replace(name="Countess")
    await register(ada, "Ada")
    assert await names() == {ada.id: ("Countess", False)}


async def test_a_bio_of_ones_own_is_no_name_of_ones_own(ada, register):
    made = (await ada.profile())["name"]
    await ada.replace(name=made, bio="b")
    await register(ada, "Ada")
    profile = await ada.profile()
    assert (profile["name"], profile["bio"]) == ("Ada", "b")


async def test_a_taken_name_is_refused(ada, bob, told):
    await ada.replace(name="Ada")
    await bob.replace(name="Bob")
    for name in ("Ada", "aDA", "Ａｄａ"):
        answer = await bob.replace(name=name, bio="lost")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    profile = await bob.profile()
    assert (profile["name"], profile["bio"]) == ("Bob", "")
    assert len(await told()) == 2
    assert (await ada.replace(name="ADA")).status_code == 200


async def test_of_many_who_want_one_name_one_gets_it(person, names):
    people = [person() for _ in range(8)]
    answers = await asyncio.gather(*(one.replace(name="Ada") for one in people))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert [name for name, _ in (await names()).values()] == ["Ada"]


async def test_two_who_exchange_their_names_are_told(ada, bob):
    await ada.replace(name="Ada")
    await bob.replace(name="Bob")
    for _ in range(4):
        answers = await asyncio.gather(ada.replace(name="Bob"), bob.replace(name="Ada"))
        assert {answer.status_code for answer in answers} == {409}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_news_of_auth_and_a_request_in_any_order(ada, order, register, happen, resources):
    async def registered() -> None:
        await register(ada, "Ada")

    async def moved() -> None:
        await happen(UserUpdated(user_id=ada.id, locale="de", timezone="Europe/Berlin", roles=["user"]), 3)

    async def readdressed() -> None:
        await happen(UserEmailChanged(user_id=ada.id, email="New@Example.com", how="changed", changed_at=now()), 4)

    async def asked() -> None:
        await ada.profile()

    for step in order:
        await (registered, moved, readdressed, asked)[step]()
    async with resources.sessions() as session:
        user = await session.scalar(select(User).where(User.id == ada.id))
    assert (user.email, user.locale, user.timezone) == ("new@example.com", "de", "Europe/Berlin")
    assert (await ada.profile())["name"] == "Ada"
