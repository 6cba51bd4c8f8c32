"""The account, keys, the first administrator, the feed, the outbox on MongoDB."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from grove.contracts.auth import Revocation
from grove.contracts.event import Envelope
from grove.core.errors import Conflict
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.revocation import RevocationFeed
from grove_auth.cli import commands
from grove_auth.passwords.hasher import PasswordHasher
from grove_auth.revocations.publisher import LOOK_SECONDS
from grove_auth.users.service import UserService

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
AUTH = "/api/v1/auth"


async def test_me_and_its_changes(ada, outside):
    me = (await ada.client.get(f"{AUTH}/me", headers=ada.headers)).json()
    assert (me["email"], me["email_verified"], me["roles"], me["permissions"]) == (ada.email, True, ["user"], [])
    assert (me["mfa_enabled"], me["locale"], me["timezone"]) == (False, "en", "UTC")
    changed = await ada.client.patch(f"{AUTH}/me", json={"timezone": "Europe/Berlin"}, headers=ada.headers)
    assert (changed.json()["timezone"], changed.json()["locale"]) == ("Europe/Berlin", "en")
    told = (await outside.events())[-1]
    assert (told.type, told.data["timezone"]) == ("auth.user.updated.v1", "Europe/Berlin")
    count = len(await outside.events())
    await ada.client.patch(f"{AUTH}/me", json={"timezone": "Europe/Berlin"}, headers=ada.headers)
    await ada.client.patch(f"{AUTH}/me", json={"marketing": True}, headers=ada.headers)
    assert len(await outside.events()) == count
    refused = await ada.client.patch(f"{AUTH}/me", json={"name": "Eve"}, headers=ada.headers)
    assert refused.status_code == 422


async def test_sequences_rise_by_one(ada, outside):
    await ada.login()
    await ada.client.patch(f"{AUTH}/me", json={"locale": "de"}, headers=ada.headers)
    await ada.client.delete(f"{AUTH}/sessions/others", headers=ada.headers)
    numbers = [event.sequence for event in await outside.events() if event.type != "auth.mail.requested.v1"]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_jwks_is_public_cacheable_and_has_no_private_part(client, resources):
    answer = await client.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    [key] = answer.json()["keys"]
    assert (key["alg"], key["use"], key["kty"]) == ("ES256", "sig", "EC")
    assert "d" not in key
    stored = str(await resources.database["signing_keys"].find({}).to_list())
    assert '"d"' not in stored


async def test_the_first_admin(resources, client, stores, monkeypatch):
    for name, value in stores.environment("auth").items():
        monkeypatch.setenv(name, value)
    email = f"{new_id().hex[-10:]}@example.com"
    arguments = ["users", "create-admin", "--email", email, "--password-stdin"]

    def run(password: str):
        return CliRunner().invoke(commands, arguments, input=f"{password}\n")

    weak = await asyncio.to_thread(run, "password1234")
    assert weak.exit_code == 1
    assert "Not done" in weak.output
    made = await asyncio.to_thread(run, "plant trees not walls")
    assert made.exit_code == 0, made.output
    again = await asyncio.to_thread(run, "plant trees not walls")
    assert "already" in again.output
    await resources.start()
    login = await client.post(f"{AUTH}/login", json={"email": email, "password": "plant trees not walls"})
    me = await client.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {login.json()['access_token']}"})
    assert me.json()["roles"] == ["user", "admin"]
    assert "users:write" in me.json()["permissions"]


async def test_a_taken_address_has_no_second_admin(ada, resources):
    with pytest.raises(Conflict):
        await UserService(resources).create_admin(ada.email, "A", "plant trees not walls")


async def test_hashes_made_elsewhere_verify_and_are_renewed(ada, resources, settings):
    import bcrypt

    old = bcrypt.hashpw(b"plant trees not walls", bcrypt.gensalt(4)).decode()
    await resources.database["users"].update_many({}, {"$set": {"password_hash": old}})
    assert (await ada.login()).status_code == 200
    stored = await resources.database["users"].find_one({"email": ada.email})
    assert stored["password_hash"].startswith("$argon2id$")
    hasher = PasswordHasher(settings)
    assert await hasher.verify("x", None) == (False, None)
    hasher.close()


async def test_the_feed_reaches_an_instance_and_a_gap_is_noticed(ada, resources, brokers, monkeypatch):
    """A commit here goes out by itself: the look for those of other processes is far away."""
    assert LOOK_SECONDS < 1
    monkeypatch.setattr("grove_auth.revocations.publisher.LOOK_SECONDS", 3600)
    publisher = asyncio.create_task(resources.publisher.run())
    snapshots = []

    async def snapshot():
        snapshots.append(await resources.revocations.snapshot())
        return snapshots[-1]

    feed = RevocationFeed("resource", brokers("resource"), snapshot)
    following = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        while not (feed.live and resources.publisher.connected):
            await asyncio.sleep(0.01)
    principal = await resources.authenticator.verifier.verify(ada.tokens["access_token"])
    assert not feed.revoked(principal)
    changes = feed.changes
    assert (await ada.client.post(f"{AUTH}/logout", headers=ada.headers)).status_code == 204
    async with asyncio.timeout(60):
        while not feed.revoked(principal):
            await asyncio.sleep(0.005)
    assert feed.changes > changes
    changes = feed.changes
    await feed._take(message_of(Revocation(number=feed._held.number, kind="heartbeat")))
    assert feed.changes == changes
    loads = len(snapshots)
    missed = Revocation(number=feed._held.number + 5, kind="heartbeat")
    await feed._take(message_of(missed))
    assert not feed.live
    async with asyncio.timeout(5):
        while len(snapshots) == loads or not feed.live:
            await asyncio.sleep(0.01)
    assert feed.changes > changes, "a snapshot may hold something new"
    await feed._take(SimpleNamespace(body=b"unreadable", message_id="x"))
    assert await resources.publisher.check() is None
    await end(following, publisher)
    assert not feed.live


def message_of(entry: Revocation) -> SimpleNamespace:
    """A message of the feed."""
    envelope = Envelope(
        id=new_id(),
        source="/grove/auth",
        type=entry.type,
        subject="",
        time="2026-01-01T00:00:00Z",
        data=json.loads(entry.model_dump_json()),
        sequence=entry.number,
    )
    return SimpleNamespace(body=envelope.model_dump_json().encode(), message_id="x")


async def test_health_names_what_is_wrong(client):
    report = (await client.get("/health/ready")).json()
    assert report["failing"] == {}
    assert "revocation_feed" in report["degraded"]
