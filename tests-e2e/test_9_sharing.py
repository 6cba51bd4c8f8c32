"""Sharing with somebody who is not there yet, through the whole suite."""


async def test_a_task_waits_for_who_registers_and_is_gone_when_it_is_unshared(suite, client, ada, wait_until):
    bob = type(ada)(suite, client)
    task = (await ada.call("POST", "/tasks", json={"title": "Plant an oak", "tags": ["garden"]})).json()
    shares = f"/tasks/{task['id']}/shares"
    shared = await ada.call("POST", shares, json={"email": bob.email, "role": "editor"})
    assert (shared.status_code, shared.content) == (202, b"")
    await bob.register()

    async def appeared() -> bool:
        items = (await bob.call("GET", "/tasks", params={"shared": "with_me"})).json()["items"]
        return [item["id"] for item in items] == [task["id"]]

    async def told() -> bool:
        return await bob.notified_tasks("TASK_SHARED") == [task["id"]]

    await wait_until(appeared, 15)
    await wait_until(told, 15)
    edited = await bob.call("PATCH", f"/tasks/{task['id']}", json={"title": "Plant a beech"})
    assert (edited.status_code, edited.json()["role"]) == (200, "editor")
    assert (await bob.call("DELETE", f"/tasks/{task['id']}")).status_code == 403

    async def changed() -> bool:
        both = [await person.notified_tasks("TASK_UPDATED") for person in (ada, bob)]
        return both == [[task["id"]], [task["id"]]]

    await wait_until(changed, 15)
    assert (await ada.call("GET", f"/tasks/{task['id']}")).json()["title"] == "Plant a beech"
    [share] = (await ada.call("GET", shares)).json()["items"]
    assert share["email"] == bob.email
    assert (await ada.call("DELETE", f"{shares}/{share['id']}")).status_code == 204
    assert (await bob.call("GET", f"/tasks/{task['id']}")).status_code == 403
    assert (await bob.call("GET", "/tasks")).json()["total"] == 0


async def test_many_things_are_done_at_once_and_a_renamed_tag_is_quiet(ada, wait_until):
    tasks = [{"op": "create", "data": {"title": f"T{number}", "tags": ["garden"]}} for number in range(20)]
    done = await ada.call("POST", "/tasks/bulk", json={"operations": tasks})
    assert {result["status"] for result in done.json()["results"]} == {201}
    [tag] = (await ada.call("GET", "/tags")).json()["items"]
    assert (await ada.call("PATCH", f"/tags/{tag['id']}", json={"name": "yard"})).status_code == 200
    assert (await ada.call("GET", "/tasks", params={"tag": "yard"})).json()["total"] == 20
    last = done.json()["results"][0]["id"]
    assert (await ada.call("PATCH", f"/tasks/{last}", json={"title": "told"})).status_code == 200

    async def told() -> bool:
        return last in await ada.notified_tasks("TASK_UPDATED")

    await wait_until(told, 15)
    assert await ada.notified_tasks("TASK_UPDATED") == [last]
