"""Accounts that are closed first and deleted later, and can be had back in between."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.tasks import end
from grove.messaging.revocation import Revocations
from grove_auth.deletions.service import DeletionService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"


@pytest.fixture
def grace(resources, monkeypatch) -> timedelta:
    monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update={"deletion_grace_days": 14}))
    return timedelta(days=14)


async def close(person):
    return await person.client.delete(f"{AUTH}/me", headers=person.headers)


async def restore(person, token: str):
    return await person.client.post(f"{AUTH}/me/restore", json={"token": token})


async def mailed(outside) -> list[str]:
    """The tokens of the mails that can have the account back, in order."""
    return [m["variables"]["token"] for m in await outside.mails() if m["template"] == "deletion_scheduled"]


async def pass_days(resources, days: int) -> None:
    """Let the accounts' time go by."""
    users = resources.database["users"]
    async for user in users.find({"closing_at": {"$ne": None}}):
        moved = {name: user[name] - timedelta(days=days) for name in ("closing_at", "closing_mailed_at")}
        await users.update_one({"_id": user["_id"]}, {"$set": moved})


async def test_a_closed_account_is_out_at_once_and_all_of_it_stays(ada, resources, outside, grace):
    principal = await resources.authenticator.verifier.verify(ada.tokens["access_token"])
    other = (await ada.login()).json()
    assert (await close(ada)).status_code == 204
    for tokens in (ada.tokens, other):
        ada.tokens = tokens
        assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 401
        assert (await ada.refresh()).status_code == 401
    held = Revocations()
    for entry in (await resources.revocations.snapshot()).entries:
        held.add(entry)
    assert held.revoked(principal), "the other services refuse its tokens too"
    assert await resources.database["users"].count_documents({}) == 1
    assert await resources.database["deleted_users"].count_documents({}) == 0
    assert "auth.user.deleted.v1" not in await outside.facts()
    mail = (await outside.mails())[-1]
    assert (mail["template"], mail["to"]) == ("deletion_scheduled", ada.email)
    assert mail["variables"]["date"] == (now() + grace).date().isoformat()


async def test_who_signs_in_is_told_after_a_right_password_only(ada, outside, grace):
    await close(ada)
    refused = await ada.login()
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["details"][0]["type"]) == (403, "FORBIDDEN", "account_closed")
    assert (now() + grace).date().isoformat() in error["details"][0]["message"]
    assert (await ada.login(password="wrong wrong wrong")).json()["error"]["code"] == "INVALID_CREDENTIALS"


async def test_who_lost_the_mail_gets_another_by_signing_in(ada, resources, outside, grace):
    await close(ada)
    await asyncio.gather(*(ada.login() for _ in range(3)))
    assert len(await mailed(outside)) == 1, "not so soon"
    await pass_days(resources, 1)
    await asyncio.gather(*(ada.login() for _ in range(3)))
    first, second = await mailed(outside)
    assert (await restore(ada, first)).status_code == 410, "a newer one was mailed"
    assert (await restore(ada, second)).status_code == 204


async def test_the_mailed_link_has_the_account_back_once(ada, resources, outside, grace):
    await close(ada)
    [token] = await mailed(outside)
    assert (await restore(ada, "another")).status_code == 410
    answers = await asyncio.gather(*(restore(ada, token) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [410] * 7
    assert (await ada.login()).status_code == 200
    assert (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).status_code == 200
    held = Revocations()
    for entry in (await resources.revocations.snapshot()).entries:
        held.add(entry)
    assert not held.revoked(await resources.authenticator.verifier.verify(ada.tokens["access_token"]))
    await pass_days(resources, 15)
    await DeletionService(resources).delete_due()
    assert (await ada.refresh()).status_code == 200, "nothing of the closing is left"
    assert (await close(ada)).status_code == 204, "it can be closed again"


async def test_it_is_deleted_when_its_time_is_over_and_not_before(ada, resources, outside, grace):
    await close(ada)
    [token] = await mailed(outside)
    deletions = DeletionService(resources)
    await pass_days(resources, 13)
    await deletions.delete_due()
    assert await resources.database["users"].count_documents({}) == 1
    await pass_days(resources, 2)
    assert (await restore(ada, token)).status_code == 410, "too late, whether or not a worker was there"
    assert (await ada.login()).status_code == 403
    running = asyncio.create_task(deletions.run())
    async with asyncio.timeout(10):
        while await resources.database["users"].count_documents({}):
            await asyncio.sleep(0.02)
    await end(running)
    assert (await outside.facts())[-1] == "auth.user.deleted.v1"
    assert (await outside.mails())[-1]["template"] == "account_deleted"
    assert await resources.database["deleted_users"].count_documents({}) == 1
    assert (await ada.login()).json()["error"]["code"] == "INVALID_CREDENTIALS"
    assert (await restore(ada, token)).status_code == 410


async def test_who_has_it_back_in_the_last_moment_keeps_it_or_not_at_all(ada, resources, outside, grace):
    """The worker and the link at the same time: exactly one of them wins."""
    deletions = DeletionService(resources)
    for _ in range(10):
        assert (await close(ada)).status_code == 204
        token = (await mailed(outside))[-1]
        soon = {"$set": {"closing_at": now() + timedelta(milliseconds=30)}}
        await resources.database["users"].update_many({"closing_at": {"$ne": None}}, soon)

        async def worker() -> None:
            for _ in range(8):
                await deletions.delete_due()
                await asyncio.sleep(0.01)

        answers = await asyncio.gather(worker(), *(restore(ada, token) for _ in range(3)))
        statuses = [answer.status_code for answer in answers[1:]]
        left = await resources.database["users"].count_documents({})
        assert (statuses.count(204), left) in {(1, 1), (0, 0)}
        if not left:
            await ada.register()
            await ada.verify()
        assert (await ada.login()).status_code == 200


async def test_an_account_that_is_had_back_while_the_worker_looks_stays(ada, resources, outside, grace, monkeypatch):
    """The link is opened between the worker's look and its transaction."""
    await close(ada)
    [token] = await mailed(outside)
    deletions = DeletionService(resources)
    principal = await resources.authenticator.verifier.verify(ada.tokens["access_token"])

    async def due(_) -> list:
        assert (await restore(ada, token)).status_code == 204
        return [principal.user_id]

    monkeypatch.setattr(deletions._deletions, "due", due)
    await deletions.delete_due()
    assert (await ada.login()).status_code == 200
    assert "auth.user.deleted.v1" not in await outside.facts()


async def test_no_session_survives_a_sign_in_that_races_the_closing(ada, resources, outside, grace):
    for _ in range(5):
        await asyncio.gather(close(ada), *(ada.login() for _ in range(4)))
        assert await resources.database["sessions"].count_documents({}) == 0
        assert (await restore(ada, (await mailed(outside))[-1])).status_code == 204
        assert (await ada.login()).status_code == 200


async def test_of_parallel_closings_one_is_told(ada, outside, grace):
    answers = await asyncio.gather(*(close(ada) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert len(await mailed(outside)) == 1


async def test_the_history_tells_of_it(ada, outside, grace):
    await close(ada)
    await ada.login()
    await restore(ada, (await mailed(outside))[-1])
    await ada.login()
    listed = (await ada.client.get(f"{AUTH}/security-events", headers=ada.headers)).json()["items"]
    assert [event["type"] for event in listed][:5] == [
        "session.started",
        "account.restored",
        "login.refused",
        "account.closed",
        "session.ended",
    ]
