"""Closing an account: step-up, what goes at once, what the others say, races."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from grove.contracts.notification import UserErased as NotificationErased
from grove.contracts.provider_sync import UserErased as ProviderSyncErased
from grove.contracts.resource import UserErased as ResourceErased
from grove.core.clock import now
from grove.messaging.revocation import Revocations
from grove.outbox.event import outbox_event
from grove_auth.consumers import handlers
from grove_auth.deletions.service import DeletionService
from grove_auth.users.repository import UserRepository

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
COLLECTIONS = ("users", "registrations", "sessions", "deleted_users")


async def delete(person):
    return await person.client.delete(f"{AUTH}/me", headers=person.headers)


async def counts(resources) -> dict[str, int]:
    return {name: await resources.database[name].count_documents({}) for name in COLLECTIONS}


async def test_all_of_the_account_goes_at_once(ada, resources, outside):
    other = (await ada.login()).json()
    await ada.register()
    me = (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).json()
    assert (await delete(ada)).status_code == 204
    assert await counts(resources) == {"users": 0, "registrations": 0, "sessions": 0, "deleted_users": 1}
    for tokens in (ada.tokens, other):
        ada.tokens = tokens
        assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 401
        assert (await ada.refresh()).status_code == 401
    assert (await ada.login()).json()["error"]["code"] == "INVALID_CREDENTIALS"
    [remembered] = await resources.database["deleted_users"].find({}).to_list()
    assert str(remembered["_id"]) == me["id"]
    assert set(remembered) == {"_id", "deleted_at", "awaiting", "expires_at"}
    assert (remembered["expires_at"] - remembered["deleted_at"]).days == 365
    told = (await outside.events())[-2]
    assert (told.type, told.subject) == ("auth.user.deleted.v1", me["id"])
    assert set(told.data) == {"user_id", "deleted_at"}
    goodbye = (await outside.mails())[-1]
    assert (goodbye["template"], goodbye["to"]) == ("account_deleted", ada.email)
    [entry] = [e for e in (await resources.revocations.snapshot()).entries if e.kind == "user"]
    assert (entry.key, entry.minimum) == (me["id"], 2)


async def test_the_address_is_free_again(ada):
    assert (await delete(ada)).status_code == 204
    assert (await ada.register()).status_code == 202
    assert (await ada.verify()).status_code == 204
    assert (await ada.login()).status_code == 200


async def test_an_old_sign_in_must_be_renewed_first(ada, resources):
    aged = {"$set": {"auth_time": now() - timedelta(seconds=301)}}
    await resources.database["sessions"].update_many({}, aged)
    ada.tokens = (await ada.refresh()).json()
    refused = await delete(ada)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "REAUTH_REQUIRED")
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="300"' in challenge
    assert (await counts(resources))["users"] == 1
    await ada.login()
    assert (await delete(ada)).status_code == 204


async def test_of_parallel_deletions_one_is_told(ada, outside):
    answers = await asyncio.gather(*(delete(ada) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert 204 in {answer.status_code for answer in answers}
    assert (await outside.facts()).count("auth.user.deleted.v1") == 1


async def test_no_session_survives_a_sign_in_that_races_the_deletion(ada, resources):
    for _ in range(10):
        await asyncio.gather(delete(ada), *(ada.login() for _ in range(4)))
        assert (await counts(resources))["sessions"] == 0
        await ada.register()
        await ada.verify()
        await ada.login()


async def test_tokens_of_a_password_changed_beside_the_deletion_are_dead_too(ada, resources, monkeypatch):
    """The change commits between the deletion's look at the account and its end."""
    look, changes = UserRepository.get, []

    async def change_meanwhile(users, *given):
        user = await look(users, *given)
        monkeypatch.undo()
        body = {"current_password": "plant trees not walls", "new_password": "water them every evening"}
        changes.append(await ada.client.post(f"{AUTH}/change-password", json=body, headers=ada.headers))
        return user

    principal = await resources.authenticator.verifier.verify(ada.tokens["access_token"])
    monkeypatch.setattr(UserRepository, "get", change_meanwhile)
    await DeletionService(resources).delete(principal.user_id)
    assert changes[0].status_code == 200
    newest = await resources.authenticator.verifier.verify(changes[0].json()["access_token"])
    held = Revocations()
    for entry in (await resources.revocations.snapshot()).entries:
        held.add(entry)
    assert held.revoked(newest)


def erased(contract, service: str, user_id: UUID):
    return handlers().parse(outbox_event(service, contract(user_id=user_id, erased_at=now()), sequence=1).body)


async def test_auth_waits_for_every_service_and_alarms_after_a_day(ada, resources):
    deletions = DeletionService(resources)
    assert (await delete(ada)).status_code == 204
    users = resources.database["deleted_users"]
    [remembered] = await users.find({}).to_list()
    assert sorted(remembered["awaiting"]) == ["notification", "provider-sync", "resource"]
    await resources.inbox.apply([erased(ResourceErased, "resource", remembered["_id"])])
    await resources.inbox.apply([erased(NotificationErased, "notification", remembered["_id"])])
    assert await deletions.check() is None
    await users.update_one({}, {"$set": {"deleted_at": now() - timedelta(hours=25)}})
    alarm = await deletions.check()
    assert "1 deleted accounts are not erased by provider-sync after 24 h" in alarm
    late = erased(ProviderSyncErased, "provider-sync", remembered["_id"])
    assert await resources.inbox.apply([late]) == [late]
    assert await deletions.check() is None
