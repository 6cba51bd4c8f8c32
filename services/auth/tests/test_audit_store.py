"""The audit log's store: the service may add and read, and nothing else."""

from datetime import datetime

import pytest
from pymongo.errors import OperationFailure

from grove_auth.audit import seals

pytestmark = pytest.mark.integration
UNAUTHORIZED = 13

TRIES = {
    "update": {"update": "{}", "updates": [{"q": {}, "u": {"$set": {"action": "x"}}, "multi": True}]},
    "replace": {"update": "{}", "updates": [{"q": {}, "u": {"action": "x"}}]},
    "findAndModify": {"findAndModify": "{}", "query": {}, "update": {"$set": {"action": "x"}}},
    "findAndRemove": {"findAndModify": "{}", "query": {}, "remove": True},
    "delete": {"delete": "{}", "deletes": [{"q": {}, "limit": 0}]},
    "drop": {"drop": "{}"},
    "dropIndexes": {"dropIndexes": "{}", "index": "*"},
    "collMod": {"collMod": "{}", "validationLevel": "off"},
    "out": {"aggregate": "{}", "pipeline": [{"$limit": 1}, {"$out": "{}"}], "cursor": {}},
    "merge": {"aggregate": "{}", "pipeline": [{"$merge": {"into": "{}"}}], "cursor": {}},
    "dropDatabase": {"dropDatabase": 1},
}


def named(command, collection: str):
    """The command with the collection's name in it."""
    if isinstance(command, dict):
        return {key: named(value, collection) for key, value in command.items()}
    if isinstance(command, list):
        return [named(value, collection) for value in command]
    return collection if command == "{}" else command


@pytest.fixture
async def written(ada, resources):
    """Entries and a seal."""
    assert await resources.sealer.seal() >= 2
    return ada


@pytest.mark.parametrize("collection", ["audit_events", "audit_seals"])
@pytest.mark.parametrize("how", TRIES)
async def test_what_is_written_stays(written, resources, how, collection):
    before = await resources.audit_database[collection].find({}).to_list()
    with pytest.raises(OperationFailure) as refused:
        await resources.audit_database.command(named(TRIES[how], collection))
    assert refused.value.code == UNAUTHORIZED
    assert before
    assert await resources.audit_database[collection].find({}).to_list() == before


@pytest.mark.parametrize("collection", ["audit_events", "audit_seals"])
async def test_it_can_not_be_moved_or_written_over_from_the_services_own_database(written, resources, collection):
    log, own = f"{resources.audit_database.name}.{collection}", f"{resources.database.name}.users"
    before = await resources.audit_database[collection].find({}).to_list()
    admin = resources.client["admin"]
    with pytest.raises(OperationFailure) as refused:
        await admin.command("renameCollection", log, to=own, dropTarget=True)
    assert refused.value.code == UNAUTHORIZED
    with pytest.raises(OperationFailure) as refused:
        await admin.command("renameCollection", own, to=log, dropTarget=True)
    assert refused.value.code == UNAUTHORIZED
    into = {"db": resources.audit_database.name, "coll": collection}
    for stage in ({"$merge": {"into": into}}, {"$out": into}):
        with pytest.raises(OperationFailure) as refused:
            await (await resources.database["users"].aggregate([stage])).to_list()
        assert refused.value.code == UNAUTHORIZED
    assert await resources.audit_database[collection].find({}).to_list() == before


async def test_the_service_can_not_give_itself_more(resources):
    for database in (resources.database, resources.audit_database, resources.client["admin"]):
        for command in (
            {"updateUser": "auth", "roles": [{"role": "root", "db": "admin"}]},
            {"grantRolesToUser": "auth", "roles": [{"role": "readWrite", "db": resources.audit_database.name}]},
            {"createUser": "eve", "pwd": "x", "roles": ["readWrite"]},
            {"updateRole": "grove_append_only", "privileges": []},
            {"updateRole": "grove_read_write", "privileges": []},
        ):
            with pytest.raises(OperationFailure):
                await database.command(command)


async def test_no_ttl_index_could_make_entries_disappear(written, resources):
    """A TTL index deletes by dates, and the service may make indexes."""

    def dates(value) -> bool:
        if isinstance(value, dict):
            return any(dates(inner) for inner in value.values())
        if isinstance(value, list):
            return any(dates(inner) for inner in value)
        return isinstance(value, datetime)

    for name in ("audit_events", "audit_seals"):
        found = await resources.audit_database[name].find({}).to_list()
        assert found
        assert not any(dates(document) for document in found)


async def test_nothing_of_the_log_is_kept_where_the_service_may_change_it(resources, written):
    names = set(await resources.database.list_collection_names())
    assert not names & {"audit_events", "audit_seals"}


async def test_an_older_stack_gets_todays_roles_at_its_next_start(written, stores, resources):
    """Before, auth's user had readWrite only; a start brings it up to date."""
    root = stores.plan.mongodb.as_root()
    try:
        older = [{"role": "readWrite", "db": "auth"}]
        await root["auth"].command("updateUser", "auth", roles=older)
        await root["auth_audit"].command("dropRole", "grove_append_only")
        await root["auth"].command("dropRole", "grove_read_write")
        await stores.plan.mongodb.grant_roles()
        await stores.plan.mongodb.grant_roles()
        user = (await root["auth"].command("usersInfo", "auth"))["users"][0]
    finally:
        await root.close()
    roles = {(role["role"], role["db"]) for role in user["roles"]}
    assert roles == {("grove_read_write", "auth"), ("grove_append_only", "auth_audit")}
    assert await resources.sealer.audit.last_seal()


def test_ids_tell_when_they_were_made():
    moment = datetime.fromisoformat("2026-05-01T12:00:00.123+00:00")
    assert seals.made_at(seals.first_id(moment)) == moment
