"""Moving accounts here: each row for itself, again without harm, hashes that cost too much refused."""

import asyncio
import json

import pytest
from argon2 import PasswordHasher as Argon2
from argon2 import Type
from bcrypt import gensalt, hashpw
from typer.testing import CliRunner

from grove_auth.cli import commands
from grove_auth.imports.repository import ImportRepository
from grove_auth.models import User
from grove_auth.passwords import foreign

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"
IMPORT = f"{AUTH}/admin/users/import"
PASSWORD = "plant trees not walls"
LONG = "a tree a day keeps the desert away, " * 3
SALT, DIGEST = "c29tZXNhbHRzb21l", "ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0"  # pragma: allowlist secret


def argon2(password: str, kind: Type = Type.ID, **costs) -> str:
    return Argon2(**{"time_cost": 1, "memory_cost": 64, "parallelism": 2} | costs, type=kind).hash(password)


def bcrypt(password: str, prefix: str = "2b") -> str:
    made = hashpw(password.encode()[:72], gensalt(4)).decode()
    return f"${prefix}{made[3:]}"


def row(name: str, **more) -> dict:
    return {"email": f"{name}@example.com", "name": name.title()} | more


@pytest.fixture
async def admin(person):
    return await person("admin")


async def import_(actor, *rows):
    return await actor.client.post(IMPORT, json={"users": list(rows)}, headers=actor.headers)


async def login(client, name: str, password: str = PASSWORD) -> int:
    answer = await client.post(f"{AUTH}/login", json={"email": f"{name}@example.com", "password": password})
    return answer.status_code


async def stored_hash(resources, name: str) -> str:
    return (await resources.database["users"].find_one({"email": f"{name}@example.com"}))["password_hash"]


HASHES = {
    "argon2id": argon2(PASSWORD),
    "argon2i": argon2(PASSWORD, Type.I),
    "bcrypt-2a": bcrypt(PASSWORD, "2a"),
    "bcrypt-2b": bcrypt(PASSWORD, "2b"),
    "bcrypt-2y": bcrypt(PASSWORD, "2y"),
}


@pytest.mark.parametrize("kind", HASHES)
async def test_a_foreign_hash_signs_in_and_becomes_one_of_ours(admin, client, resources, settings, kind):
    assert (await import_(admin, row("lin", password_hash=HASHES[kind]))).json()["created"] == 1
    assert await login(client, "lin", "plant walls not trees") == 401
    assert await stored_hash(resources, "lin") == HASHES[kind]
    assert await login(client, "lin") == 200
    ours = await stored_hash(resources, "lin")
    assert ours.startswith(f"$argon2id$v=19$m={settings.argon2_memory_kib},t={settings.argon2_iterations},p=1$")
    assert await login(client, "lin") == 200
    assert await stored_hash(resources, "lin") == ours


async def test_bcrypt_looked_at_72_bytes_and_what_replaces_it_looks_at_all(admin, client, resources):
    assert len(LONG) > 72
    await import_(admin, row("lin", password_hash=bcrypt(LONG)))
    assert await login(client, "lin", LONG[:71]) == 401
    assert await login(client, "lin", LONG) == 200
    assert (await stored_hash(resources, "lin")).startswith("$argon2id$")
    assert await login(client, "lin", LONG) == 200
    assert await login(client, "lin", LONG[:72]) == 401


async def test_a_password_that_was_hashed_as_it_was_typed_still_counts(admin, client, settings):
    typed = "ﬁve trees ½ planted"  # NFKC makes other characters of it
    ours = {"memory_cost": settings.argon2_memory_kib, "time_cost": settings.argon2_iterations, "parallelism": 1}
    for name, made in (("lin", bcrypt(typed)), ("mei", argon2(typed)), ("zoe", argon2(typed, **ours))):
        await import_(admin, row(name, password_hash=made))
        assert await login(client, name, "five trees 1⁄2 planted") == 401
        assert await login(client, name, typed) == 200
        assert await login(client, name, "five trees 1⁄2 planted") == 200, "renewed as we hash"


async def test_a_stored_hash_that_nobody_can_read_is_no_error(ada, resources):
    for broken in ("", "x", "$2b$99$" + "a" * 53, HASHES["bcrypt-2b"][:28] + "z" + HASHES["bcrypt-2b"][29:]):
        await resources.database["users"].update_one({"email": ada.email}, {"$set": {"password_hash": broken}})
        assert (await ada.login()).status_code == 401
        await resources.database["password_attempts"].delete_many({})


COSTLY = {
    "4 GiB of memory": f"$argon2id$v=19$m=4194304,t=1,p=1${SALT}${DIGEST}",
    "a million iterations": f"$argon2id$v=19$m=64,t=1000000,p=1${SALT}${DIGEST}",
    "a thousand lanes": f"$argon2id$v=19$m=65536,t=1,p=1000${SALT}${DIGEST}",
    "no iteration": f"$argon2id$v=19$m=64,t=0,p=1${SALT}${DIGEST}",
    "less memory than lanes need": f"$argon2id$v=19$m=8,t=1,p=4${SALT}${DIGEST}",
    "Argon2d": f"$argon2d$v=19$m=64,t=1,p=1${SALT}${DIGEST}",
    "another version": f"$argon2id$v=18$m=64,t=1,p=1${SALT}${DIGEST}",
    "no digest": f"$argon2id$v=19$m=64,t=1,p=1${SALT}",
    "a digest of nothing": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$AA",
    "not base64": f"$argon2id$v=19$m=64,t=1,p=1${SALT[:-1]}${DIGEST}",
    "bcrypt at 31": "$2b$31$" + bcrypt(PASSWORD)[7:],
    "bcrypt at 3": "$2b$03$" + bcrypt(PASSWORD)[7:],
    "bcrypt 2x": "$2x" + bcrypt(PASSWORD)[3:],
    "a cut bcrypt": bcrypt(PASSWORD)[:-1],
    "a salt of other bits": bcrypt(PASSWORD)[:28] + "z" + bcrypt(PASSWORD)[29:],
    "something behind": bcrypt(PASSWORD) + "\n",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",  # pragma: allowlist secret
    "nothing": "",
}


@pytest.mark.parametrize("what", COSTLY)
def test_hashes_that_cost_too_much_or_are_none_are_refused(settings, what):
    with pytest.raises(ValueError, match="hash"):
        foreign.check(COSTLY[what], settings)


def test_the_bounds_are_settings(settings):
    at_most = f"$argon2id$v=19$m=131072,t=10,p=8${SALT}${DIGEST}"
    assert foreign.check(at_most, settings) == at_most
    with pytest.raises(ValueError, match="memory in KiB is 131072"):
        foreign.check(at_most, settings.model_copy(update={"foreign_argon2_memory_kib": 131071}))


async def test_rows_stand_for_themselves_and_doing_it_again_changes_nothing(admin, client, resources, outside):
    rows = [
        row(
            "lin", password_hash=HASHES["argon2id"], locale="de", timezone="Europe/Berlin", roles=["user", "moderator"]
        ),
        row("bad", password_hash=COSTLY["4 GiB of memory"]),
        {"email": "nobody", "name": "Nobody"},
        "not even an object",
        row("mei", created_at="2019-05-04T03:02:01Z", email_verified=False),
        row("lin") | {"email": "LIN@example.com", "name": "Another"},
        row("odd", roles=["nonsense"]),
        row("new", created_at="2999-01-01T00:00:00Z"),
        row("more", admin=True),
    ]
    answer = await import_(admin, *rows)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["created"], body["exists"], body["refused"]) == (2, 1, 6)
    assert [result["row"] for result in body["results"]] == list(range(9))
    statuses = [result["status"] for result in body["results"]]
    assert statuses == ["created", *["refused"] * 3, "created", "exists", *["refused"] * 3]
    reasons = [result["reason"] or "" for result in body["results"]]
    wanted = ("", "memory in KiB is 4194304", "email: ", "the row: ", "", "", "no role nonsense", "future", "admin: ")
    for reason, part in zip(reasons, wanted, strict=True):
        assert part in reason
    again = (await import_(admin, *rows)).json()
    assert (again["created"], again["exists"], again["refused"]) == (0, 3, 6)
    lin, mei = (body["results"][number]["id"] for number in (0, 4))
    facts = [(e.type.split(".")[2], e.subject, e.sequence) for e in await outside.events() if e.subject in (lin, mei)]
    assert sorted(facts) == sorted([("registered", lin, 1), ("verified", lin, 2), ("registered", mei, 1)])
    registered = {e.subject: e.data for e in await outside.events() if e.type == "auth.user.registered.v1"}
    assert (registered[lin]["greet"], registered[lin]["roles"]) == (False, ["user", "moderator"])
    assert registered[mei]["registered_at"].startswith("2019-05-04T03:02:01")
    assert not [mail for mail in await outside.mails() if mail["to"] != admin.email], "nobody is mailed"
    entries = await resources.audit_database["audit_events"].find({"action": "user.imported"}).to_list()
    assert {entry["subject_id"] for entry in entries} == {lin, mei}


async def test_who_may_not_give_a_role_can_not_import_it(admin, person):
    support = {"name": "support", "description": "Helps.", "permissions": ["users:write"], "rank": 5}
    await admin.client.post(f"{AUTH}/admin/roles", json=support, headers=admin.headers)
    helper, moderator = await person("support"), await person("moderator")
    body = (await import_(helper, row("lin", roles=["admin"]), row("mei", roles=["user", "support"]))).json()
    assert [result["status"] for result in body["results"]] == ["refused", "created"]
    assert "beyond what you may do" in body["results"][0]["reason"]
    assert (await import_(moderator, row("zoe"))).status_code == 403


async def test_a_thousand_at_once_are_taken_and_no_more(admin, resources):
    rows = [row(f"user{number}", password_hash=HASHES["argon2id"]) for number in range(1001)]
    assert (await import_(admin, *rows)).status_code == 422
    assert (await import_(admin)).status_code == 422
    answer = (await import_(admin, *rows[1:])).json()
    assert (answer["created"], answer["exists"], answer["refused"]) == (1000, 0, 0)
    assert await resources.database["users"].count_documents({}) == 1001
    assert await resources.database["outbox"].count_documents({"type": "auth.user.verified.v1"}) == 1001
    too_large = {"users": [row("lin") | {"name": "x" * 1_100_000}]}
    assert (await admin.client.post(IMPORT, json=too_large, headers=admin.headers)).status_code == 413


async def test_imports_at_once_create_nobody_twice(admin, resources, outside):
    rows = [row(f"user{number}") for number in range(40)]
    answers = await asyncio.gather(*(import_(admin, *(rows[n:] + rows[:n])) for n in (0, 10, 20)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["created"] for answer in answers) == 40
    assert await resources.database["users"].count_documents({}) == 41
    registered = [e.subject for e in await outside.events() if e.type == "auth.user.registered.v1"]
    assert len(registered) == len(set(registered)) == 41


async def test_an_address_that_is_taken_in_the_middle_is_seen(admin, monkeypatch):
    looks = []
    taken = ImportRepository.taken

    async def late(self, emails, transaction):
        looks.append(emails)
        return {} if len(looks) == 1 else await taken(self, emails, transaction)

    monkeypatch.setattr(ImportRepository, "taken", late)
    answer = (await import_(admin, row("ada") | {"email": admin.email}, row("lin"))).json()
    assert [result["status"] for result in answer["results"]] == ["exists", "created"]
    assert (answer["results"][0]["id"], len(looks)) == (admin.id, 2)


async def test_the_command_imports_a_file(resources, stores, monkeypatch, tmp_path):
    for name, value in stores.environment("auth").items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "users.jsonl"
    lines = [json.dumps(row("lin", roles=["user", "admin"])), "{broken", json.dumps(row("mei", password_hash="no"))]
    file.write_text("\n".join(lines))
    try:
        first = await asyncio.to_thread(CliRunner().invoke, commands, ["users", "import", str(file)])
        assert first.exit_code == 1
        assert "1 created, 0 were there, 2 refused" in first.stdout
        assert "line 3 (mei@example.com): password_hash: the hash must be" in " ".join(first.output.split())
        file.write_text(lines[0])
        again = await asyncio.to_thread(CliRunner().invoke, commands, ["users", "import", str(file)])
        assert (again.exit_code, "0 created, 1 were there" in again.stdout) == (0, True)
    finally:
        await resources.start()  # the command bound the documents to a client of its own
    assert (await User.find_one({"email": "lin@example.com"})).roles == ["user", "admin"]
