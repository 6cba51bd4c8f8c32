"""A task looks different in each role, and so do its ETags."""

from uuid import UUID

import pytest

from grove.web.etag import etag

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


async def test_another_role_is_another_representation(client, ada, bob, make, share):
    task = await make(ada)
    url = f"{TASKS}/{task['id']}"
    await share(ada, task, bob.email, "viewer")
    read = await client.get(url, headers=bob.headers)
    have = bob.headers | {"If-None-Match": read.headers["etag"]}
    assert (await client.get(url, headers=have)).status_code == 304
    await share(ada, task, bob.email, "editor")
    again = await client.get(url, headers=have)
    assert (again.status_code, again.json()["role"]) == (200, "editor")
    assert (await client.get(url, headers=bob.headers | {"If-None-Match": again.headers["etag"]})).status_code == 304


async def test_the_owners_tag_is_that_of_live_messages_and_changes_take_either(client, ada, bob, make, share):
    task = await make(ada)
    url = f"{TASKS}/{task['id']}"
    await share(ada, task, bob.email, "editor")
    plain = (await client.get(url, headers=ada.headers)).headers["etag"]
    own = (await client.get(url, headers=bob.headers)).headers["etag"]
    number = int(plain.strip('"').rsplit("-", 1)[1])
    assert plain == etag(_id(task), number)
    assert own not in {plain, ""}
    for title, tag in (("a", own), ("b", None), ("c", "list")):
        now = etag(_id(task), number)
        wanted = {"list": f'"other-1", {now}', None: now}.get(tag, tag)
        changed = await client.patch(url, json={"title": title}, headers=bob.headers | {"If-Match": wanted})
        assert changed.status_code == 200, changed.text
        number += 1
        assert changed.headers["etag"] == (await client.get(url, headers=bob.headers)).headers["etag"]
    for stale in (plain, own):
        late = await client.patch(url, json={"title": "d"}, headers=bob.headers | {"If-Match": stale})
        current = (await client.get(url, headers=bob.headers)).headers["etag"]
        assert (late.status_code, late.headers["etag"]) == (412, current)


def _id(task: dict) -> UUID:
    return UUID(task["id"])
