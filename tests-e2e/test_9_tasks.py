"""A task's life over HTTP, with all that a careful client sends."""

from grove.core.ids import new_id


async def test_versions_keys_and_states_hold_through_the_edge(ada, bob):
    key = {"Idempotency-Key": new_id().hex}
    body = {"title": "Plant a tree", "tags": ["garden"], "priority": "high", "due_at": "2030-05-01T07:00:00Z"}
    made = await ada.call("POST", "/tasks", json=body, headers=key)
    again = await ada.call("POST", "/tasks", json=body, headers=key)
    assert (made.status_code, again.status_code, again.json()) == (201, 201, made.json())
    assert again.headers["idempotency-replayed"] == "true"
    other = await ada.call("POST", "/tasks", json={"title": "Another"}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    path = f"/tasks/{made.json()['id']}"
    first = made.headers["etag"]
    assert (await ada.call("GET", path, headers={"If-None-Match": first})).status_code == 304

    changed = await ada.call("PATCH", path, json={"title": "Plant two trees"}, headers={"If-Match": first})
    assert (changed.status_code, changed.json()["title"]) == (200, "Plant two trees")
    lost = await ada.call("PATCH", path, json={"title": "Plant none"}, headers={"If-Match": first})
    assert (lost.status_code, lost.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    writable = ("title", "description", "completed", "due_at", "priority", "tags", "parent_id", "recurrence")
    whole = {name: changed.json()[name] for name in writable} | {"description": "Oaks"}
    assert (await ada.call("PUT", path, json=whole)).json()["description"] == "Oaks"
    missing = await ada.call("PUT", path, json={"title": "Only this"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    for method in ("GET", "PATCH", "DELETE"):
        refused = await bob.call(method, path, **({"json": {"title": "Mine"}} if method == "PATCH" else {}))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")

    assert [(await ada.call("DELETE", path)).status_code for _ in range(2)] == [204, 204]
    gone = await ada.call("PATCH", path, json={"title": "Late"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (400, "INVALID_STATE")
    assert (await ada.call("GET", path)).json()["is_deleted"] is True
    deleted = (await ada.call("GET", "/tasks?status=deleted&tag=garden")).json()["items"]
    assert [task["title"] for task in deleted] == ["Plant two trees"]
    assert (await ada.call("POST", f"{path}/restore")).json()["is_deleted"] is False
    assert (await ada.call("POST", f"{path}/restore")).status_code == 400
    assert (await ada.call("DELETE", f"{path}?permanent=true")).status_code == 204
    assert (await ada.call("GET", path)).status_code == 404


async def test_lists_are_filtered_searched_sorted_and_walked(ada):
    for number in range(7):
        await ada.call("POST", "/tasks", json={"title": f"Oak {number}", "tags": ["tree"] if number % 2 else []})
    await ada.call("POST", "/tasks", json={"title": "Fence"})
    page = await ada.call("GET", "/tasks?q=oak&sort=title&page=2&size=3")
    assert [task["title"] for task in page.json()["items"]] == ["Oak 3", "Oak 4", "Oak 5"]
    assert (page.json()["total"], page.headers["x-total-count"]) == (7, "7")
    assert 'rel="next"' in page.headers["link"]
    walked, cursor = [], ""
    while cursor is not None:
        step = (await ada.call("GET", f"/tasks?tag=tree&size=2&cursor={cursor}")).json()
        walked += [task["title"] for task in step["items"]]
        cursor = step["next_cursor"]
    assert walked == ["Oak 5", "Oak 3", "Oak 1"]
    for wrong in ("page=1&cursor=", "size=101", "page=1000&size=100", "sort=colour", "status=lost", "cursor=x"):
        refused = await ada.call("GET", f"/tasks?{wrong}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), wrong
