"""Search finds what is the user's, best matches first, in one statement that stays with the user's rows."""

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.postgres.reads import Reads
from grove_resource.search import repository

pytestmark = pytest.mark.integration
SEARCH = "/api/v1/search"


@pytest.fixture
def user():
    return new_id()


@pytest.fixture
def me(issuer, user):
    return issuer.headers(user)


@pytest.fixture
def make(client, me):
    async def make(path: str, headers=None, **body):
        answer = await client.post(f"/api/v1/{path}", json=body, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def log(make):
    async def log(data, name="Running", headers=None, day=1):
        activity = await make("activities", headers, name=name, data_schema={"type": "object"})
        occurred = f"2026-05-{day:02}T07:30:00Z"
        return await make("moments", headers, activity_id=activity["id"], occurred_at=occurred, data=data)

    return log


@pytest.fixture
def find(client, me):
    async def find(q: str, headers=None, **parameters):
        answer = await client.get(SEARCH, params={"q": q, **parameters}, headers=headers or me)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return find


async def test_tasks_and_moments_are_found_by_their_words(make, log, find):
    task = await make("tasks", title="Mend the fence", description="The garden <b>fence</b> leans")
    moment = await log({"km": 3, "route": {"start": "Garden fence", "via": ["Mill"]}})
    await make("tasks", title="Something else")
    found = await find("fence")
    assert (found["size"], found["next_cursor"]) == (20, None)
    assert [(item["type"], item["id"], item["title"]) for item in found["items"]] == [
        ("task", task["id"], "Mend the fence"),
        ("moment", moment["id"], "Running"),
    ]
    first, second = found["items"]
    assert first["rank"] >= second["rank"] > 0
    assert (first["at"], second["at"]) == (task["updated_at"], moment["occurred_at"])
    assert "«fence»" in first["snippet"]
    assert "Garden «fence»" in second["snippet"]
    assert first.keys() == {"type", "id", "title", "snippet", "rank", "at"}


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("GARDEN", {"Garden one", "Garden two"}),
        ("garden -two", {"Garden one"}),
        ('"two words"', {"Garden two"}),
        ("one or words", {"Garden one", "Garden two"}),
        ("gard", set()),
        ("!!! ''", set()),
        ("a & | ! ( :*", set()),
        ("%", set()),
    ],
)
async def test_words_are_written_as_on_the_web(make, find, q, titles):
    await make("tasks", title="Garden one")
    await make("tasks", title="Garden two", description="has two words")
    assert {item["title"] for item in (await find(q))["items"]} == titles


async def test_one_kind_alone(make, log, find):
    await make("tasks", title="fence")
    await log({"note": "fence"})
    for kind in ("task", "moment"):
        assert [item["type"] for item in (await find("fence", type=kind))["items"]] == [kind]


async def test_a_walk_sees_each_hit_once(make, log, find):
    made = set()
    for number in range(7):
        made.add((await make("tasks", title=f"fence {number}", description="fence " * number))["id"])
    for number in range(4):
        made.add((await log({"note": "fence " * (number + 1)}, day=number + 1))["id"])
    seen, ranks, cursor = [], [], ""
    while cursor is not None:
        page = await find("fence", size=3, cursor=cursor)
        seen += [item["id"] for item in page["items"]]
        ranks += [item["rank"] for item in page["items"]]
        assert len(page["items"]) <= 3
        cursor = page["next_cursor"]
    assert (len(seen), set(seen)) == (11, made)
    assert ranks == sorted(ranks, reverse=True)


async def test_only_what_the_user_may_see_is_found(client, issuer, make, log, find, resources, user):
    other = new_id()
    theirs = issuer.headers(other)
    shared = await make("tasks", theirs, title="shared fence")
    await make("tasks", theirs, title="their fence")
    await log({"note": "their fence"}, headers=theirs)
    gone = await make("tasks", title="my gone fence")
    assert (await client.delete(f"/api/v1/tasks/{gone['id']}", headers=issuer.headers(user))).status_code == 204
    async with resources.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO shares (id, task_id, email, user_id, role, created_at, updated_at)"
                " VALUES (:id, :task, 'a@b.c', :user, 'viewer', now(), now())"
            ),
            {"id": new_id(), "task": shared["id"], "user": user},
        )
    assert [item["id"] for item in (await find("fence"))["items"]] == [shared["id"]]
    assert (await find("fence", theirs))["items"][0]["type"] in {"task", "moment"}
    assert len((await find("fence", theirs))["items"]) == 3


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"q": ""},
        {"q": "  "},
        {"q": "x" * 201},
        {"q": "x", "type": "profile"},
        {"q": "x", "size": 0},
        {"q": "x", "size": 101},
        {"q": "x", "cursor": "x"},
        {"q": "x", "cursor": "WyItcmFuaywtaWQiLDEsIngiXQ"},
        {"q": "x", "cursor": "WyItcmFuaywtaWQiLDFd"},
        {"q": "x", "cursor": "WyItcmFuaywtaWQiLHRydWUsIDFd"},
    ],
)
async def test_bad_questions_are_a_422(client, me, parameters):
    assert (await client.get(SEARCH, params=parameters, headers=me)).status_code == 422


async def test_both_scopes_are_needed(client, issuer):
    for scope in ("tasks:read", "moments:read"):
        answer = await client.get(f"{SEARCH}?q=x", headers=issuer.headers(new_id(), scope=scope))
        assert answer.status_code == 403
    assert (await client.get(f"{SEARCH}?q=x")).status_code == 401


async def test_a_search_is_one_statement(make, find, monkeypatch):
    await make("tasks", title="fence")
    asked = []
    original = Reads.all

    async def all_rows(self, statement, **values):
        asked.append(statement.text)
        return await original(self, statement, **values)

    monkeypatch.setattr(Reads, "all", all_rows)
    await find("fence")
    assert len(asked) == 1


async def test_newer_matches_are_ranked_when_there_are_too_many(make, find, monkeypatch):
    monkeypatch.setattr(
        repository,
        "_SEARCH",
        repository.Statement(repository._TEXT.replace(f"LIMIT {repository.MAX_RANKED}", "LIMIT 2")),
    )
    for number in range(4):
        await make("tasks", title=f"fence {number}")
    assert {item["title"] for item in (await find("fence"))["items"]} == {"fence 2", "fence 3"}


MANY = """
    CREATE TEMP TABLE people ON COMMIT DROP AS SELECT uuidv7() AS id FROM generate_series(1, 300);
    INSERT INTO tasks (id, user_id, title, created_at, updated_at)
        SELECT uuidv7(), people.id, CASE WHEN n % 10 = 0 THEN 'a fence ' ELSE 'other ' END || n,
            now() - n * interval '1 minute', now()
        FROM people, generate_series(1, 100) n;
    INSERT INTO shares (id, task_id, email, user_id, role, created_at, updated_at)
        SELECT uuidv7(), tasks.id, 'a@example.com', (SELECT id FROM people WHERE people.id > tasks.user_id LIMIT 1),
            'viewer', now(), now()
        FROM tasks WHERE title LIKE 'a fence %';
    INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at)
        SELECT id, id, 'Running', '{}', now(), now() FROM people;
    INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)
        SELECT uuidv7(), people.id, people.id, 1, now() - n * interval '1 minute',
            jsonb_build_object('note', CASE WHEN n % 10 = 0 THEN 'a fence ' ELSE 'other ' END || n), now(), now()
        FROM people, generate_series(1, 100) n
"""


async def test_among_many_users_no_table_is_read_through(resources):
    """With 60,000 rows of 300 users, of which each tenth has the word."""
    async with resources.engine.begin() as connection:
        for statement in MANY.split(";"):
            await connection.execute(text(statement))
        someone = (await connection.execute(text("SELECT id FROM people LIMIT 1"))).scalar_one()
    async with resources.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE tasks, moments, shares, activities"))
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.execute("SET plan_cache_mode = force_generic_plan")
        values = {"q": "fence", "type": None, "size": 21, "headline": repository._HEADLINE}
        values |= {"user_id": someone, "after_rank": None, "after_id": None}
        arguments = repository._SEARCH.arguments(values)
        rows = await driver.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {repository._SEARCH.text}", *arguments)
        await driver.execute("RESET plan_cache_mode")
    plan = "\n".join(row[0] for row in rows)
    for table in ("tasks", "moments", "shares", "activities"):
        assert f"Seq Scan on {table}" not in plan, plan
    for index in ("ix_tasks_user_created", "ix_moments_user_occurred", "ix_shares_user"):
        assert index in plan, plan
