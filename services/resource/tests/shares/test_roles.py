"""What participants may do with a task, and who hears of it."""

import pytest

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


async def test_a_viewer_reads_and_changes_nothing(client, ada, bob, make, share):
    task = await make(ada)
    await share(ada, task, bob.email, "viewer")
    url = f"{TASKS}/{task['id']}"
    read = await client.get(url, headers=bob.headers)
    assert read.json() == task | {"role": "viewer"}
    whole = {
        "description": "",
        "completed": False,
        "due_at": None,
        "priority": "none",
        "tags": [],
        "parent_id": None,
        "recurrence": None,
    }
    for method, path, body in (
        ("PUT", "", {"title": "x"} | whole),
        ("PATCH", "", {"title": "x"}),
        ("PATCH", "/complete", None),
        ("DELETE", "", None),
        ("DELETE", "?permanent=true", None),
        ("POST", "/restore", None),
        ("POST", "/shares", {"email": "c@example.com", "role": "viewer"}),
        ("GET", "/shares", None),
    ):
        answer = await client.request(method, url + path, json=body, headers=bob.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), (method, path)
    assert (await client.get(url, headers=ada.headers)).json() == task


async def test_an_editor_changes_fields_and_completes_but_no_more(client, ada, bob, make, share, told):
    task, parent, own = await make(ada), await make(ada), await make(bob)
    await share(ada, task, bob.email, "editor")
    url = f"{TASKS}/{task['id']}"
    changed = await client.patch(url, json={"title": "New", "tags": ["shared"]}, headers=bob.headers)
    assert (changed.status_code, changed.json()["role"], changed.json()["title"]) == (200, "editor", "New")
    assert (await client.patch(f"{url}/complete", headers=bob.headers)).json()["completed"] is True
    tags = {who.id: (await client.get("/api/v1/tags", headers=who.headers)).json()["total"] for who in (ada, bob)}
    assert tags == {ada.id: 1, bob.id: 0}
    for method, path, body in (
        ("PATCH", "", {"parent_id": parent["id"]}),
        ("PATCH", "", {"parent_id": own["id"]}),
        ("DELETE", "", None),
        ("DELETE", "?permanent=true", None),
        ("POST", "/restore", None),
        ("POST", "/shares", {"email": "c@example.com", "role": "viewer"}),
    ):
        answer = await client.request(method, url + path, json=body, headers=bob.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), (method, path, body)
    below = await client.post(TASKS, json={"title": "x", "parent_id": task["id"]}, headers=bob.headers)
    assert below.status_code == 422
    facts = await told("updated", "completed")
    assert [fact["data"]["participants"] for fact in facts] == [[str(bob.id)]] * 2
    assert [fact["data"]["user_id"] for fact in facts] == [str(ada.id)] * 2


async def test_what_the_owner_does_reaches_all_participants_but_not_who_waits(
    client, ada, bob, make, share, told, stranger, auth
):
    task, cyd = await make(ada, tags=["home"]), stranger()
    await auth.registered(cyd)
    for email in (bob.email, cyd.email, "later@example.com"):
        await share(ada, task, email)
    url, together = f"{TASKS}/{task['id']}", sorted([str(bob.id), str(cyd.id)])
    tag = (await client.get("/api/v1/tags", headers=ada.headers)).json()["items"][0]
    for method, path, body in (
        ("PATCH", url, {"title": "New"}),
        ("PATCH", f"{url}/complete", None),
        ("PATCH", f"{url}/complete", None),
        ("PATCH", f"/api/v1/tags/{tag['id']}", {"name": "house"}),
        ("DELETE", url, None),
        ("POST", f"{url}/restore", None),
        ("DELETE", f"{url}?permanent=true", None),
    ):
        assert (await client.request(method, path, json=body, headers=ada.headers)).is_success
    facts = await told("updated", "completed", "reopened", "deleted", "restored")
    assert len(facts) == 7
    assert [fact["data"]["participants"] for fact in facts] == [together] * 7
    assert (await client.get(url, headers=bob.headers)).status_code == 404


async def test_a_lesser_role_counts_at_once(client, ada, bob, make, share):
    task = await make(ada)
    url = f"{TASKS}/{task['id']}"
    await share(ada, task, bob.email, "editor")
    assert (await client.patch(url, json={"title": "a"}, headers=bob.headers)).status_code == 200
    await share(ada, task, bob.email, "viewer")
    assert (await client.patch(url, json={"title": "b"}, headers=bob.headers)).status_code == 403
