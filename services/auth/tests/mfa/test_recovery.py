"""A lost device: mailed, waited for, cancelled; never quicker, and void when the account changed meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove_auth.mfa.recovery import RecoveryService

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
OTHER = "water them every evening"


@pytest.fixture
def recoveries(resources) -> RecoveryService:
    return RecoveryService(resources)


async def begin(guarded) -> int:
    asked = {"mfa_token": await guarded.challenge()}
    return (await guarded.person.client.post(f"{AUTH}/mfa/recovery", json=asked)).status_code


async def cancel(guarded, token: str) -> int:
    return (await guarded.person.client.post(f"{AUTH}/mfa/recovery/cancel", json={"token": token})).status_code


async def mails(outside) -> list[dict]:
    return [mail for mail in await outside.mails() if mail["template"].startswith("mfa_recovery")]


async def wait(resources) -> None:
    """72 hours go by."""
    recoveries = resources.database["mfa_recoveries"]
    for recovery in await recoveries.find({}).to_list():
        due = recovery["due_at"] - timedelta(hours=72)
        assert due <= now()
        await recoveries.update_one({"_id": recovery["_id"]}, {"$set": {"due_at": due}})


async def is_on(guarded) -> bool:
    return (await guarded.person.login()).status_code == 401


async def test_after_the_wait_the_second_factor_is_off_and_every_step_is_told(guarded, recoveries, resources, outside):
    assert await begin(guarded) == 202
    [mail] = await mails(outside)
    assert (mail["to"], mail["variables"]["hours"]) == (guarded.person.email, 72)
    await recoveries.finish_due()
    assert await is_on(guarded)
    await wait(resources)
    await asyncio.gather(*(RecoveryService(resources).finish_due() for _ in range(4)))
    assert not await is_on(guarded)
    told = [event.data for event in await outside.events() if event.type == "auth.mfa.disabled.v1"]
    assert [(fact["method"], fact["reason"]) for fact in told] == [("all", "recovered")]
    assert [m["variables"].get("cancelled") for m in await mails(outside)] == [None, False]
    assert await cancel(guarded, mail["variables"]["token"]) == 410


async def test_the_mailed_link_stops_it_once(guarded, recoveries, resources, outside):
    await begin(guarded)
    token = (await mails(outside))[0]["variables"]["token"]
    assert await cancel(guarded, "another token") == 410
    answers = await asyncio.gather(*(cancel(guarded, token) for _ in range(5)))
    assert sorted(answers) == [204] + [410] * 4
    await wait(resources)
    await recoveries.finish_due()
    assert await is_on(guarded)
    assert [m["variables"].get("cancelled") for m in await mails(outside)] == [None, True]


async def test_asking_again_neither_shortens_nor_prolongs_the_wait(guarded, resources, outside):
    await begin(guarded)
    [first] = await resources.database["mfa_recoveries"].find({}).to_list()
    assert [await begin(guarded) for _ in range(3)] == [202] * 3
    assert await resources.database["mfa_recoveries"].find({}).to_list() == [first]
    assert len(await mails(outside)) == 1


async def test_cancelling_against_its_end(guarded, resources, outside):
    for _ in range(5):
        await begin(guarded)
        token = (await mails(outside))[-1]["variables"]["token"]
        await wait(resources)
        answer, _ = await asyncio.gather(cancel(guarded, token), RecoveryService(resources).finish_due())
        assert answer in {204, 410}
        on = await is_on(guarded)
        assert on == (answer == 204)
        ends = [m["variables"]["cancelled"] for m in await mails(outside) if "cancelled" in m["variables"]]
        assert ends[-1] is on
        if not on:
            break


async def test_who_proves_a_second_factor_has_not_lost_it(guarded, recoveries, resources, outside):
    await begin(guarded)
    assert (await guarded.sign_in()).status_code == 200
    assert await resources.database["mfa_recoveries"].count_documents({}) == 0
    assert (await mails(outside))[-1]["variables"]["cancelled"] is True


async def test_a_new_password_makes_it_void(guarded, recoveries, resources):
    await begin(guarded)
    change = {"current_password": "plant trees not walls", "new_password": OTHER}
    assert (await guarded.call("POST", "/change-password", change)).status_code == 200
    await wait(resources)
    await recoveries.finish_due()
    assert (await guarded.person.login(password=OTHER)).json()["error"]["code"] == "MFA_REQUIRED"
    assert await resources.database["mfa_recoveries"].count_documents({}) == 0


async def test_a_void_one_gives_way_to_the_next(guarded, recoveries, resources, outside):
    await begin(guarded)
    assert (await guarded.call("POST", "/mfa/email")).status_code == 200
    assert await begin(guarded) == 202
    assert len(await mails(outside)) == 2
    await wait(resources)
    await recoveries.finish_due()
    assert not await is_on(guarded)


async def test_only_a_first_factor_begins_it(guarded, resources):
    answer = await guarded.person.client.post(f"{AUTH}/mfa/recovery", json={"mfa_token": "guessed"})
    assert answer.status_code == 401
    assert await resources.database["mfa_recoveries"].count_documents({}) == 0
