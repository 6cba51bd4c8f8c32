"""Sharing over HTTP, each rule once."""

import asyncio

import pytest
from sqlalchemy import event, text

from grove.core.ids import new_id
from grove.web.rate_limit import RateLimiter
from grove_resource.shares import service

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


async def test_a_known_address_has_the_task_at_once_and_is_told(client, ada, bob, make, share, sees, told, shares_of):
    task = await make(ada)
    assert not await sees(bob, task)
    await share(ada, task, bob.email.upper(), "editor")
    assert await sees(bob, task)
    [item] = await shares_of(ada, task)
    assert set(item) == {"id", "email", "role", "created_at"}
    assert (item["email"], item["role"]) == (bob.email, "editor")
    [fact] = await told()
    assert (fact["type"], fact["subject"], fact["sequence"]) == ("resource.task.shared.v1", item["id"], 1)
    expected = {"task_id": task["id"], "user_id": str(ada.id), "with_user_id": str(bob.id), "title": "Plant"}
    assert {name: fact["data"][name] for name in expected} == expected
    assert fact["data"]["role"] == "editor"


async def test_nobody_can_tell_whether_an_address_is_known(client, ada, bob, make, share, resources, shares_of):
    """The same answer, the same entry in the list, and the same statements."""
    task = await make(ada)
    statements: list[str] = []

    @event.listens_for(resources.engine.sync_engine, "before_cursor_execute")
    def count(_c, _cur, statement, *_):
        statements.append(statement.replace("ROLLBACK TO", "RELEASE"))

    async def observed(method: str, path: str = "", **body) -> tuple:
        statements.clear()
        url = f"{TASKS}/{task['id']}/shares{path}"
        answer = await client.request(method, url, json=body or None, headers=ada.headers)
        headers = {name: value for name, value in answer.headers.items() if name not in {"ratelimit", "x-request-id"}}
        return answer.status_code, answer.content, headers, list(statements)

    addresses = (bob.email, "nobody@example.com")
    try:
        for role in ("viewer", "editor", "editor"):  # new, changed, the same
            known, unknown = [await observed("POST", email=email, role=role) for email in addresses]
            assert known == unknown
            assert known[:2] == (202, b"")
        shares = await shares_of(ada, task)
        assert [{**item, "id": 0, "email": 0, "created_at": 0} for item in shares] == [
            {"id": 0, "email": 0, "role": "editor", "created_at": 0}
        ] * 2
        known, unknown = [await observed("DELETE", f"/{item['id']}") for item in shares]
        assert known == unknown
        assert known[0] == 204
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", count)
    assert (await observed("POST", email=ada.email, role="viewer"))[:2] == (202, b"")


async def test_an_unknown_address_waits_and_tells_nothing(client, ada, make, share, told, shares_of):
    task = await make(ada)
    await share(ada, task, "later@example.com")
    await share(ada, task, "later@example.com", "editor")
    [item] = await shares_of(ada, task)
    assert (item["email"], item["role"]) == ("later@example.com", "editor")
    assert await told() == []


async def test_again_changes_the_role_and_the_same_again_nothing(ada, bob, make, share, told, shares_of):
    task = await make(ada)
    for role in ("viewer", "viewer", "editor", "editor", "viewer"):
        await share(ada, task, bob.email, role)
    facts = await told()
    assert [(fact["data"]["role"], fact["sequence"]) for fact in facts] == [("viewer", 1), ("editor", 2), ("viewer", 3)]
    assert len({fact["subject"] for fact in facts}) == 1
    assert [item["role"] for item in await shares_of(ada, task)] == ["viewer"]


async def test_ones_own_address_is_not_stored(ada, make, share, told, shares_of):
    task = await make(ada)
    await share(ada, task, ada.email, "editor")
    assert await shares_of(ada, task) == []
    assert await told() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "b@example.com"},
        {"email": "b@example.com", "role": "owner"},
        {"email": "nonsense", "role": "viewer"},
        {"email": "a b@example.com", "role": "viewer"},
        {"email": f"{'x' * 250}@example.com", "role": "viewer"},
        {"email": "b@example.com", "role": "viewer", "unknown": 1},
    ],
)
async def test_bad_input_is_a_422(client, ada, make, shares_of, body):
    task = await make(ada)
    answer = await client.post(f"{TASKS}/{task['id']}/shares", json=body, headers=ada.headers)
    assert answer.status_code == 422
    assert await shares_of(ada, task) == []


async def test_only_the_owner_shares_and_sees_with_whom(client, ada, bob, make, share, stranger, shares_of):
    task = await make(ada)
    await share(ada, task, bob.email, "editor")
    [item] = await shares_of(ada, task)
    url = f"{TASKS}/{task['id']}/shares"
    for person, of, status in ((bob, url, 403), (stranger(), url, 403), (ada, f"{TASKS}/{new_id()}/shares", 404)):
        for method, path, body in (
            ("GET", "", None),
            ("GET", "?cursor=", None),
            ("POST", "", {"email": "c@example.com", "role": "viewer"}),
            ("DELETE", f"/{new_id()}", None),
        ):
            answer = await client.request(method, of + path, json=body, headers=person.headers)
            assert answer.status_code == status, (method, path)
    other = await make(bob)
    theirs = await client.delete(f"{TASKS}/{other['id']}/shares/{item['id']}", headers=bob.headers)
    assert (theirs.status_code, theirs.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert await shares_of(ada, task) == [item]


async def test_unsharing_ends_access_and_reminders_at_once(
    client, ada, bob, make, share, sees, told, shares_of, resources
):
    task = await make(ada)
    await share(ada, task, bob.email, "editor")
    async with resources.engine.begin() as connection:
        remind = (
            "INSERT INTO reminders (id, task_id, user_id, at, created_at) VALUES (uuidv7(), :task, :user, now(), now())"
        )
        for user in (ada, bob):
            await connection.execute(text(remind), {"task": task["id"], "user": user.id})
    [item] = await shares_of(ada, task)
    url = f"{TASKS}/{task['id']}/shares/{item['id']}"
    assert (await client.delete(url, headers=ada.headers)).status_code == 204
    assert not await sees(bob, task)
    changed = await client.patch(f"{TASKS}/{task['id']}", json={"title": "x"}, headers=bob.headers)
    assert changed.status_code == 403
    assert (await client.delete(url, headers=ada.headers)).status_code == 404
    gone = (await told())[-1]
    assert (gone["type"], gone["subject"], gone["sequence"]) == ("resource.task.unshared.v1", item["id"], 2)
    assert gone["data"]["with_user_id"] == str(bob.id)
    async with resources.engine.connect() as connection:
        left = (await connection.execute(text("SELECT user_id FROM reminders"))).scalars().all()
    assert left == [ada.id]


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_a_participant_may_leave_but_send_nobody_away(
    client, ada, bob, make, share, sees, told, stranger, auth, shares_of, role
):
    task, cyd = await make(ada), stranger()
    await auth.registered(cyd)
    for person in (bob, cyd):
        await share(ada, task, person.email, role)
    url = f"{TASKS}/{task['id']}/shares"
    mine, other = [item["id"] for item in await shares_of(ada, task)]
    assert (await client.delete(f"{url}/{other}", headers=bob.headers)).status_code == 403
    assert (await client.delete(f"{url}/{mine}", headers=bob.headers)).status_code == 204
    assert (await client.delete(f"{url}/me", headers=cyd.headers)).status_code == 204
    assert (await client.delete(f"{url}/me", headers=cyd.headers)).status_code == 403
    assert (await client.delete(f"{url}/me", headers=ada.headers)).status_code == 404
    assert (await client.delete(f"{url}/you", headers=ada.headers)).status_code == 422
    assert not await sees(bob, task)
    assert await shares_of(ada, task) == []
    assert [fact["data"]["with_user_id"] for fact in (await told())[2:]] == [str(bob.id), str(cyd.id)]


async def test_a_deleted_task_is_not_shared_but_can_be_left(client, ada, bob, make, share, shares_of):
    task = await make(ada)
    await share(ada, task, bob.email)
    await client.delete(f"{TASKS}/{task['id']}", headers=ada.headers)
    url, body = f"{TASKS}/{task['id']}/shares", {"email": "c@example.com", "role": "viewer"}
    answer = await client.post(url, json=body, headers=ada.headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert (await client.delete(f"{url}/me", headers=bob.headers)).status_code == 204
    assert await shares_of(ada, task) == []


async def test_there_are_so_many_and_no_more_also_in_parallel(client, ada, bob, make, share, shares_of, monkeypatch):
    monkeypatch.setattr(service, "MOST", 4)
    task = await make(ada)
    url = f"{TASKS}/{task['id']}/shares"
    bodies = [{"email": f"p{number}@example.com", "role": "viewer"} for number in range(9)]
    answers = await asyncio.gather(*(client.post(url, json=body, headers=ada.headers) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [202] * 4 + [422] * 5
    listed = await shares_of(ada, task)
    assert len(listed) == 4
    await share(ada, task, listed[0]["email"], "editor")
    assert (await shares_of(ada, task))[0]["role"] == "editor"
    known = await client.post(url, json={"email": bob.email, "role": "viewer"}, headers=ada.headers)
    assert known.status_code == 422


async def test_sharing_has_a_limit_of_its_own(client, ada, make, resources, monkeypatch):
    task = await make(ada)
    narrow = RateLimiter(resources.valkey, f"test-{new_id()}")
    monkeypatch.setattr(resources, "limiter", narrow)
    url, body = f"{TASKS}/{task['id']}/shares", {"email": "c@example.com", "role": "viewer"}
    answers = [await client.post(url, json=body, headers=ada.headers) for _ in range(61)]
    assert [answer.status_code for answer in answers] == [202] * 60 + [429]
    assert answers[0].headers["ratelimit-policy"] == '"shares";q=60;w=3600'
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await client.get(url, headers=ada.headers)).status_code == 200


async def test_the_list_has_pages_and_walks(client, ada, make, share):
    task = await make(ada)
    emails = [f"p{number}@example.com" for number in range(5)]
    for email in emails:
        await share(ada, task, email)
    url = f"{TASKS}/{task['id']}/shares"
    page = await client.get(f"{url}?sort=email&size=2&page=2", headers=ada.headers)
    assert ([item["email"] for item in page.json()["items"]], page.json()["total"]) == (emails[2:4], 5)
    walked, cursor = [], ""
    while cursor is not None:
        answer = await client.get(url, params={"size": 2, "cursor": cursor}, headers=ada.headers)
        walked += [item["email"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    assert walked == emails[::-1]
    assert (await client.get(f"{url}?sort=user_id", headers=ada.headers)).status_code == 422


async def test_a_key_has_one_effect_and_scopes_are_needed(client, issuer, ada, bob, make, told):
    task = await make(ada)
    url, body = f"{TASKS}/{task['id']}/shares", {"email": bob.email, "role": "viewer"}
    headers = ada.headers | {"Idempotency-Key": "k"}
    assert [(await client.post(url, json=body, headers=headers)).status_code for _ in range(2)] == [202, 202]
    assert len(await told()) == 1
    reader = issuer.headers(ada.id, scope="tasks:read")
    assert (await client.get(url, headers=reader)).status_code == 200
    assert (await client.post(url, json=body, headers=reader)).status_code == 403
    assert (await client.delete(f"{url}/{new_id()}", headers=reader)).status_code == 403
