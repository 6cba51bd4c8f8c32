"""Notifications over HTTP."""

import asyncio

import pytest

from grove.contracts import auth, provider_sync, resource
from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.postgres import check_models, migrate_both_ways
from grove_notification.notifications.wording import wording

pytestmark = pytest.mark.integration
URL = "/api/v1/notifications"
ME = new_id()


def task(kind: type = resource.TaskCreated, title: str = "Plant", **fields):
    moment = {
        resource.TaskCreated: "created_at",
        resource.TaskUpdated: "updated_at",
        resource.TaskCompleted: "completed_at",
        resource.TaskReopened: "reopened_at",
        resource.TaskDeleted: "deleted_at",
        resource.TaskRestored: "restored_at",
    }[kind]
    return kind(task_id=new_id(), user_id=ME, title=title, **{moment: now()}, **fields)


@pytest.fixture
def me(issuer):
    return issuer.headers(ME)


async def test_facts_become_notifications_once(client, me, happen):
    fact = task()
    assert await happen("resource", fact)
    listed = await client.get(URL, headers=me)
    [item] = listed.json()["items"]
    assert (item["type"], item["message"], item["is_read"]) == ("TASK_CREATED", "“Plant” was created.", False)
    assert (item["task_id"], item["link"]) == (str(fact.task_id), f"/api/v1/tasks/{fact.task_id}")
    assert (listed.headers["x-total-count"], listed.headers["x-unread-count"]) == ("1", "1")


async def test_reading_and_deleting(client, me, happen):
    for number in range(5):
        await happen("resource", task(title=f"T{number}"))
    items = (await client.get(URL, headers=me)).json()["items"]
    one = f"{URL}/{items[0]['id']}"
    got = await client.get(one, headers=me)
    assert got.json() == items[0]
    assert (await client.get(one, headers=me | {"If-None-Match": got.headers["etag"]})).status_code == 304
    read = await client.put(one, json={"is_read": True}, headers=me | {"If-Match": got.headers["etag"]})
    assert read.json()["is_read"] is True
    assert read.json()["read_at"]
    again = await client.put(one, json={"is_read": True}, headers=me)
    assert again.headers["etag"] == read.headers["etag"]
    stale = await client.put(one, json={"is_read": False}, headers=me | {"If-Match": got.headers["etag"]})
    assert stale.status_code == 412
    assert (await client.get(f"{URL}/unread/count", headers=me)).json() == {"count": 4}
    unread = await client.get(f"{URL}?unread_only=true&size=2", headers=me)
    assert (unread.json()["total"], len(unread.json()["items"])) == (4, 2)
    assert (await client.put(f"{URL}/mark-all-read", headers=me)).json() == {"updated": 4}
    assert (await client.put(f"{URL}/mark-all-read", headers=me)).json() == {"updated": 0}
    assert (await client.put(one, json={"is_read": False}, headers=me)).json()["read_at"] is None
    assert (await client.delete(one, headers=me)).status_code == 204
    assert (await client.delete(one, headers=me)).status_code == 404
    ids = ",".join(item["id"] for item in items[:3])
    gone = await client.delete(f"{URL}?notification_ids={ids}&notification_ids={items[3]['id']}", headers=me)
    assert gone.json() == {"deleted": 3}
    assert (await client.get(URL, headers=me)).headers["x-total-count"] == "1"


@pytest.mark.parametrize("ids", ["", "x", ",".join(str(new_id()) for _ in range(101))])
async def test_ids_to_delete_are_checked(client, me, ids):
    assert (await client.delete(f"{URL}?notification_ids={ids}", headers=me)).status_code == 422


async def test_types_and_cursors(client, me, happen):
    for number in range(7):
        await happen("resource", task(title=f"T{number}"))
    await happen("resource", task(resource.TaskCompleted))
    only = await client.get(f"{URL}?type=TASK_COMPLETED", headers=me)
    assert only.json()["total"] == 1
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(URL, params={"size": 3, "cursor": cursor}, headers=me)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 8
    assert (await client.get(f"{URL}?type=lower", headers=me)).status_code == 422


async def test_another_users_notification_does_not_exist(client, me, happen, issuer):
    await happen("resource", task())
    [item] = (await client.get(URL, headers=me)).json()["items"]
    other, one = issuer.headers(new_id()), f"{URL}/{item['id']}"
    assert (await client.get(one, headers=other)).status_code == 404
    assert (await client.put(one, json={"is_read": True}, headers=other)).status_code == 404
    assert (await client.delete(one, headers=other)).status_code == 404
    assert (await client.delete(f"{URL}?notification_ids={item['id']}", headers=other)).json() == {"deleted": 0}


def connection(kind: type, **fields):
    return kind(connection_id=new_id(), user_id=ME, provider="sandbox", provider_name="Sandbox Bank", **fields)


def run(kind: type, **fields):
    return connection(kind, run_id=new_id(), finished_at=now(), **fields)


def session(kind: type, **fields):
    return kind(user_id=ME, session_id="s", device_name="Firefox on Linux", **fields)


def api_key(kind: type, **fields):
    return kind(user_id=ME, api_key_id=new_id(), name="backup", hint="grv_0aB1cD", **fields)


COUNTS = {"accounts": 2, "added": 1, "changed": 0, "removed": 0}


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        (task(resource.TaskUpdated, changed=["title"]), "TASK_UPDATED"),
        (task(resource.TaskCompleted), "TASK_COMPLETED"),
        (task(resource.TaskReopened), "TASK_PENDING"),
        (task(resource.TaskDeleted, permanent=True), "TASK_DELETED"),
        (task(resource.TaskRestored), "TASK_RESTORED"),
        (session(auth.SessionStarted, browser="", os="", ip="203.0.113.0", started_at=now()), "LOGIN"),
        (session(auth.SessionEnded, reason="logout", ended_at=now()), "LOGOUT"),
        (session(auth.SessionEnded, reason="reuse_detected", ended_at=now()), None),
        (
            session(auth.LoginSuspicious, reason="new_device", browser="", os="", ip="", signed_in_at=now()),
            "SUSPICIOUS_LOGIN",
        ),
        (auth.UserEmailChanged(user_id=ME, email="a@example.com", how="changed", changed_at=now()), "EMAIL_CHANGED"),
        (auth.UserEmailChanged(user_id=ME, email="a@example.com", how="undone", changed_at=now()), "EMAIL_CHANGED"),
        (session(auth.SessionReuseDetected, ip="", detected_at=now()), "SESSION_REUSE"),
        (auth.LoginLocked(user_id=ME, until=None, failures=100, locked_at=now(), factor="second"), "ACCOUNT_LOCKED"),
        (auth.MfaEnabled(user_id=ME, method="totp", enabled_at=now()), "MFA_ENABLED"),
        (auth.MfaDisabled(user_id=ME, method="all", reason="recovered", disabled_at=now()), "MFA_DISABLED"),
        (auth.MfaDisabled(user_id=ME, method="sms", reason="removed", disabled_at=now()), "MFA_DISABLED"),
        (api_key(auth.ApiKeyCreated, scopes=["tasks:read"], expires_at=None, created_at=now()), "API_KEY_CREATED"),
        (api_key(auth.ApiKeyDeleted, deleted_at=now()), None),
        (connection(provider_sync.ConnectionLinked, linked_at=now()), "PROVIDER_CONNECTED"),
        (connection(provider_sync.ConnectionNeedsReauth, reason="Gone.", since=now()), "PROVIDER_NEEDS_REAUTH"),
        (connection(provider_sync.ConnectionRemoved, removed_at=now()), None),
        (run(provider_sync.RunCompleted, trigger="initial", after_failure=False, **COUNTS), "PROVIDER_SYNCED"),
        (run(provider_sync.RunCompleted, trigger="scheduled", after_failure=True, **COUNTS), "PROVIDER_SYNCED"),
        (run(provider_sync.RunCompleted, trigger="scheduled", after_failure=False, **COUNTS), None),
        (run(provider_sync.RunFailed, trigger="user", reason="No."), "PROVIDER_FAILED"),
        (run(provider_sync.RunFailed, trigger="scheduled", reason="No."), None),
    ],
)
async def test_every_fact_has_its_wording(client, me, happen, fact, kind):
    words = wording(fact)
    assert (words.type if words else None) == kind
    service = fact.type.split(".")[0].replace("_", "-")
    assert await happen(service, fact)
    items = (await client.get(URL, headers=me)).json()["items"]
    assert [item["type"] for item in items] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("city", "country", "ip", "words"),
    [
        ("Berlin", "DE", "203.0.113.0", "signed in from Berlin, DE;"),
        (None, "DE", "203.0.113.0", "signed in from DE;"),
        (None, None, "203.0.113.0", "signed in from 203.0.113.0;"),
        (None, None, "", "signed in;"),
    ],
)
def test_a_place_is_told_as_exactly_as_it_is_known(city, country, ip, words):
    place = {"city": city, "country": country, "ip": ip}
    fact = session(auth.LoginSuspicious, reason="new_device_and_place", browser="", os="", signed_in_at=now(), **place)
    told = wording(fact)
    assert told is not None
    assert words in told.message


async def test_counts_are_right_under_parallel_marking_and_arriving(client, me, happen):
    await asyncio.gather(
        *(happen("resource", task(title=f"T{n}")) for n in range(20)),
        *(client.put(f"{URL}/mark-all-read", headers=me) for _ in range(5)),
    )
    listed = await client.get(f"{URL}?size=100", headers=me)
    unread = sum(not item["is_read"] for item in listed.json()["items"])
    assert (listed.json()["total"], int(listed.headers["x-unread-count"])) == (20, unread)


async def test_migrations_run_up_down_and_up_and_match_the_models(settings, resources):
    await asyncio.to_thread(migrate_both_ways, settings)
    await asyncio.to_thread(check_models, settings)
