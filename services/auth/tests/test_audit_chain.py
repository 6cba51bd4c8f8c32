"""The audit log's chain: each entry sealed once, and every tampering found."""

import asyncio
import json
from datetime import timedelta
from functools import partial

import pytest
from typer.testing import CliRunner

from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.mongo.client import in_transaction
from grove.security.audit import audit_entry
from grove_auth.audit import seals, verification
from grove_auth.audit.keys import AuditKeys
from grove_auth.audit.verification import Verification
from grove_auth.cli import commands
from grove_auth.models import AuditEvent

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"


async def verified(resources, *, head=None, public=None) -> list[str]:
    """What a verification finds."""
    keys = public or resources.sealer.keys.public()
    return (await Verification(resources.sealer.audit, keys, head).run(lambda _: None)).findings


async def write(resources, count: int = 1) -> list:
    """Entries, each in a transaction of its own; their ids."""
    ids = []
    for number in range(count):
        entry = audit_entry("test.written", "success", subject_id=str(new_id()), number=str(number))
        await resources.transaction(partial(store, entry))
        ids.append(entry.id)
    return ids


async def store(entry, transaction) -> None:
    """As the audit log does."""
    await AuditEvent.of(entry.model_dump(mode="json")).insert(session=transaction)


async def add(log, *, age: timedelta, **changes) -> dict:
    """An entry that was not written by the service, with an id of the past."""
    made_at = now() - age
    entry = audit_entry("test.forged", "success").model_dump(mode="json")
    entry_id = type(new_id())(int=seals.first_id(made_at).int + 7)
    entry |= {"id": str(entry_id), "at": made_at.isoformat()} | changes
    document = AuditEvent.of(entry).model_dump(by_alias=True, exclude={"revision_id"})
    await log["audit_events"].insert_one(document)
    return document


@pytest.fixture
async def sealed(resources):
    """Three seals of three entries; the ids of the entries."""
    ids = []
    for _ in range(3):
        ids += await write(resources, 3)
        assert await resources.sealer.seal() == 3
    return ids


async def test_seals_follow_from_each_other_and_the_whole_verifies(resources, sealed):
    found = await resources.sealer.audit.seals_after(0, 10)
    assert [(seal["_id"], seal["total"]) for seal in found] == [(1, 3), (2, 6), (3, 9)]
    assert [entry_id for seal in found for entry_id in seal["entries"]] == sealed
    assert [seal["previous"] for seal in found[1:]] == [seal["head"] for seal in found[:-1]]
    assert await resources.sealer.seal() == 0, "nothing is sealed twice"
    assert await verified(resources) == []


async def test_an_entry_that_commits_after_newer_ones_is_sealed_too(resources):
    """Its id is older than those that are sealed already."""
    committed = asyncio.Event()
    late = audit_entry("test.late", "success")

    async def slow(transaction) -> None:
        await store(late, transaction)
        await committed.wait()

    writing = asyncio.create_task(in_transaction(resources.client, slow))
    await asyncio.sleep(0.05)
    [newer] = await write(resources)
    assert newer > late.id
    assert await resources.sealer.seal() == 1
    committed.set()
    await writing
    assert await resources.sealer.seal() == 1
    assert [seal["entries"] for seal in await resources.sealer.audit.seals_after(0, 10)] == [[newer], [late.id]]
    assert await verified(resources) == []


async def test_of_many_sealers_at_once_each_entry_is_sealed_once(resources):
    sealing = True

    async def seal() -> None:
        while sealing:
            await resources.sealer.seal()

    sealers = [asyncio.create_task(seal()) for _ in range(4)]
    try:
        written = await asyncio.gather(*(write(resources, 10) for _ in range(6)))
    finally:
        sealing = False
        await asyncio.gather(*sealers)
    ids = [entry_id for part in written for entry_id in part]
    await resources.sealer.seal()
    listed = [e for seal in await resources.sealer.audit.seals_after(0, 1000) for e in seal["entries"]]
    assert sorted(listed) == sorted(ids)
    assert await verified(resources) == []


async def test_a_backlog_is_sealed_in_parts(resources, monkeypatch):
    monkeypatch.setattr(seals, "MOST", 4)
    ids = await write(resources, 10)
    assert [await resources.sealer.seal() for _ in range(4)] == [4, 4, 2, 0]
    listed = [e for seal in await resources.sealer.audit.seals_after(0, 1000) for e in seal["entries"]]
    assert listed == ids
    assert await verified(resources) == []


async def test_the_worker_seals_by_itself(resources):
    await write(resources)
    running = asyncio.create_task(resources.sealer.run())
    async with asyncio.timeout(10):
        while not await resources.sealer.audit.last_seal():
            await asyncio.sleep(0.02)
    await end(running)


async def test_health_tells_of_entries_that_nobody_seals(resources, audit_as_root):
    await write(resources)
    assert await resources.sealer.check() is None
    await add(audit_as_root, age=timedelta(seconds=90))
    assert "the audit log is not sealed since 9" in await resources.sealer.check()
    await resources.sealer.seal()
    assert await resources.sealer.check() is None


async def changed_entry(log, ids):
    await log["audit_events"].update_one({"_id": ids[4]}, {"$set": {"entry.outcome": "failure"}})
    return [f"Entry {ids[4]} of seal 2 was changed."]


async def changed_copy(log, ids):
    await log["audit_events"].update_one({"_id": ids[4]}, {"$set": {"concerns": []}})
    return [f"Entry {ids[4]} of seal 2 was changed."]


async def added_field(log, ids):
    await log["audit_events"].update_one({"_id": ids[4]}, {"$set": {"entry.more": "x"}})
    return [f"Entry {ids[4]} of seal 2 was changed."]


async def swapped_entries(log, ids):
    found = {document["_id"]: document for document in await log["audit_events"].find({}).to_list()}
    for one, other in ((ids[3], ids[4]), (ids[4], ids[3])):
        await log["audit_events"].replace_one({"_id": one}, {**found[other], "_id": one})
    return [f"Entry {ids[3]} of seal 2 was changed.", f"Entry {ids[4]} of seal 2 was changed."]


async def missing_entry(log, ids):
    await log["audit_events"].delete_one({"_id": ids[5]})
    return [f"Entry {ids[5]} of seal 2 is missing."]


async def missing_everywhere(log, ids):
    """The entry, and its place in its seal."""
    await log["audit_events"].delete_one({"_id": ids[4]})
    seal = await log["audit_seals"].find_one({"_id": 2})
    del seal["entries"][1], seal["hashes"][1]
    await log["audit_seals"].replace_one({"_id": 2}, seal)
    return [f"Entry {ids[5]} of seal 2 was changed."]


async def inserted_entry(log, _):
    document = await add(log, age=timedelta(hours=1))
    return [f"Entry {document['_id']} was inserted later: no seal lists it."]


async def inserted_into_a_seal(log, _):
    document = await add(log, age=timedelta(seconds=1))
    seal = await log["audit_seals"].find_one({"_id": 3})
    seal["entries"].append(document["_id"])
    seal["hashes"].append(seals.chained(seal["head"], document))
    seal["head"] = seal["hashes"][-1]
    await log["audit_seals"].replace_one({"_id": 3}, seal)
    return ["Seal 3 bears no valid signature of key v1."]


async def missing_seal(log, ids):
    await log["audit_seals"].delete_one({"_id": 2})
    return ["Seals 2 to 2 are missing."]


async def missing_first_seal(log, ids):
    await log["audit_seals"].delete_one({"_id": 1})
    return ["Seals 1 to 1 are missing."]


async def unsigned_seal(log, _):
    await log["audit_seals"].update_one({"_id": 2}, {"$set": {"signature": "AAAA"}})
    return ["Seal 2 bears no valid signature of key v1."]


async def unknown_key(log, _):
    await log["audit_seals"].update_one({"_id": 2}, {"$set": {"key": "v9"}})
    return ["Seal 2 bears no valid signature of key v9."]


async def moved_limit(log, _):
    """So that an entry inserted before it would seem to be new."""
    await log["audit_seals"].update_one({"_id": 2}, {"$set": {"complete_below": seals.FIRST}})
    return ["Seal 2 bears no valid signature of key v1."]


async def forked_chain(log, _):
    await log["audit_seals"].update_one({"_id": 2}, {"$set": {"previous": "0" * 64}})
    return ["Seal 2 does not follow from the one before.", "Seal 2 bears no valid signature of key v1."]


async def emptied_seal(log, _):
    await log["audit_seals"].replace_one({"_id": 3}, {"newest": seals.FIRST})
    return ["Seal 3 was changed: it lacks fields."]


TAMPERINGS = [
    changed_entry,
    changed_copy,
    added_field,
    swapped_entries,
    missing_entry,
    missing_everywhere,
    inserted_entry,
    inserted_into_a_seal,
    missing_seal,
    missing_first_seal,
    unsigned_seal,
    unknown_key,
    moved_limit,
    forked_chain,
    emptied_seal,
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_tampering_shows(resources, sealed, audit_as_root, tamper):
    assert await verified(resources) == []
    expected = await tamper(audit_as_root, sealed)
    assert (await verified(resources))[: len(expected)] == expected


async def test_an_entry_that_no_seal_ever_took_shows_when_it_is_old(resources, sealed, audit_as_root):
    """The window stays open as long as nothing newer is sealed; a forged old entry in it has no seal either."""
    assert await verified(resources) == []
    [fresh] = await write(resources)
    assert await verified(resources) == [], "it is new, and waits"
    moved = seals.first_id(now() - timedelta(days=1))
    await audit_as_root["audit_seals"].update_many({}, {"$set": {"complete_below": moved}})
    document = await add(audit_as_root, age=timedelta(seconds=100))
    found = await verified(resources)
    assert f"Entry {document['_id']} has no seal: it was inserted, or the sealer does not run." in found
    assert not any(str(fresh) in finding for finding in found)


async def test_a_cut_end_shows_by_a_head_that_was_kept_elsewhere(resources, sealed, audit_as_root):
    head = json.loads(json.dumps(seals.head_of(await resources.sealer.audit.last_seal())))
    assert await verified(resources, head=head) == []
    await audit_as_root["audit_seals"].delete_one({"_id": 3})
    await audit_as_root["audit_events"].delete_many({"_id": {"$in": sealed[6:]}})
    assert await verified(resources) == [], "what is left is whole"
    told = "The end is cut off: there was a seal 3, says the head file; the last is 2."
    assert await verified(resources, head=head) == [told]
    [again] = await write(resources)
    assert await resources.sealer.seal() == 1
    assert again not in sealed
    assert await verified(resources, head=head) == ["Seal 3 is another than the head file says."]
    forged = head | {"position": 2}
    assert "it proves nothing" in (await verified(resources, head=forged))[0]


async def test_keys_change_and_old_seals_stay_good(resources, sealed):
    old = resources.sealer.keys
    seed = "A" * 43 + "="
    keys = AuditKeys(lambda: f"v2:{seed}\n" + resources.settings.secrets.read("audit_key_ring"))
    resources.sealer.keys = keys
    try:
        await write(resources)
        assert await resources.sealer.seal() == 1
    finally:
        resources.sealer.keys = old
    assert (await resources.sealer.audit.last_seal())["key"] == "v2"
    assert set(keys.public()) == {"v1", "v2"}
    assert await verified(resources, public=keys.public()) == []
    assert await verified(resources) == ["Seal 4 bears no valid signature of key v2."]


async def test_of_very_many_findings_the_first_are_kept(resources, sealed, audit_as_root, monkeypatch):
    monkeypatch.setattr(verification, "SHOWN", 2)
    await audit_as_root["audit_events"].delete_many({})
    report = await Verification(resources.sealer.audit, resources.sealer.keys.public(), None).run(lambda _: None)
    assert (report.wrong, len(report.findings)) == (9, 2)


async def test_the_command_says_what_it_found(resources, sealed, audit_as_root, stores, monkeypatch, tmp_path):
    for name, value in stores.environment("auth").items():
        monkeypatch.setenv(name, value)

    async def run(*words: str):
        done = await asyncio.to_thread(CliRunner().invoke, commands, ["audit", *words])
        return done.exit_code, done.stdout

    code, printed = await run("head")
    (tmp_path / "head.json").write_text(printed)
    assert (code, json.loads(printed)["position"], json.loads(printed)["total"]) == (0, 3, 9)
    code, printed = await run("keys")
    (tmp_path / "keys.json").write_text(printed)
    assert (code, list(json.loads(printed))) == (0, ["v1"])
    both = ("--head", str(tmp_path / "head.json"), "--keys", str(tmp_path / "keys.json"))
    code, printed = await run("verify", *both)
    assert code == 0
    assert "9 entries in 3 seals" in printed
    code, printed = await run("export")
    await resources.start()  # the command bound the document classes to its own connection
    assert [json.loads(line)["id"] for line in printed.splitlines()][:9] == [str(entry_id) for entry_id in sealed]
    assert json.loads(printed.splitlines()[-1])["action"] == "audit.exported", "this too is in the log"
    code, printed = await run("export", "--since", (now() + timedelta(days=1)).strftime("%Y-%m-%d"))
    await resources.start()
    assert (code, printed) == (0, "")
    await audit_as_root["audit_seals"].delete_one({"_id": 3})
    await audit_as_root["audit_events"].delete_one({"_id": sealed[0]})
    code, printed = await run("verify", *both)
    assert code == 1
    assert f"Entry {sealed[0]} of seal 1 is missing." in printed
    assert "The end is cut off" in printed
    await audit_as_root["audit_seals"].delete_many({})
    assert (await run("head"))[0] == 1
