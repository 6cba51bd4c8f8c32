"""Deleting an account, seen from outside and in every database."""

import asyncio
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlparse

import asyncpg
import pytest
import websockets

from grove_stack.demo import newest_mail

TABLES = {
    "resource": {"users": "id", "profiles": "user_id", "tasks": "user_id", "idempotency_keys": "user_id"},
    "notification": {"users": "id", "notifications": "user_id", "mails": "user_id"},
    "provider-sync": {
        "users": "id",
        "connections": "user_id",
        "accounts": "user_id",
        "transactions": "user_id",
        "sync_runs": "user_id",
    },
}


@pytest.fixture
def kept(suite):
    """What the databases have of a user, by service and table; tombstones apart."""

    async def kept(user_id: str) -> dict[str, int]:
        postgres = suite.process("postgres")["address"].rsplit(":", 1)[1]
        found = {}
        for service, tables in TABLES.items():
            database = service.replace("-", "_")
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=int(postgres),
                user=database,
                database=database,
                password=suite.layout.secret(service, "database_password"),
            )
            for table, column in {**tables, "erased_users": "user_id"}.items():
                query = f"SELECT count(*) FROM {table} WHERE {column} = $1"  # noqa: S608 - names from above
                if count := await connection.fetchval(query, user_id):
                    found[f"{service}.{table}"] = count
            await connection.close()
        return found

    return kept


async def connect(person) -> None:
    started = await person.call("POST", "/connections", json={"provider": "sandbox"})
    assert started.status_code == 201, started.text
    url = urlparse(started.json()["authorization_url"])
    form = dict(parse_qsl(url.query)) | {"decision": "allow", "customer": person.email}
    consent = await person.client.post(url._replace(query="").geturl(), data=form)
    answer = await person.client.get(consent.headers["location"], headers=person.headers)
    assert answer.status_code == 200, answer.text


async def closing(stream) -> float:
    """When the stream was closed, by its sign-in's end."""
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await stream.notification("NOTHING", 60)
    assert closed.value.rcvd.code == 4401
    return time.monotonic()


async def test_a_deleted_account_is_gone_everywhere(suite, ada, bob, kept, wait_until):
    me = (await ada.client.get(f"{suite.auth}/me", headers=ada.headers)).json()["id"]
    for person in (ada, bob):
        await person.call("POST", "/tasks", json={"title": "Plant"}, headers={"Idempotency-Key": "one"})
    await connect(ada)

    async def synchronised() -> bool:
        return (await kept(me)).get("provider-sync.transactions", 0) == 120

    async def only_tombstones() -> bool:
        return await kept(me) == {f"{service}.erased_users": 1 for service in TABLES}

    async def confirmed() -> bool:
        metrics = (await ada.client.get(f"http://{suite.process('auth-worker')['ops_address']}/metrics")).text
        facts = [f"{service.replace('-', '_')}.user.erased.v1" for service in TABLES]
        return all(f'outcome="applied",queue="auth.events",type="{fact}"' in metrics for fact in facts)

    async def said_goodbye() -> bool:
        mail = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), ada.email)
        return "Your account was deleted" in mail

    await wait_until(synchronised, 30)
    assert set(await kept(me)) == {f"{service}.{table}" for service, tables in TABLES.items() for table in tables}
    async with ada.live() as stream:
        closed = asyncio.create_task(closing(stream))
        assert (await ada.client.delete(f"{suite.auth}/me", headers=ada.headers)).status_code == 204
        since = time.monotonic()
        assert await closed - since < 1
    for path in ("/tasks", "/notifications", "/connections"):
        assert (await ada.call("GET", path)).status_code == 401
    await wait_until(only_tombstones, 20)
    await wait_until(confirmed, 20)
    await wait_until(said_goodbye, 20)
    assert len((await bob.call("GET", "/tasks")).json()["items"]) == 1
