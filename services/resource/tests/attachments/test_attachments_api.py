"""Files of tasks over HTTP, each rule once."""

import asyncio
import hashlib

import pytest
from sqlalchemy import event

from grove.core.ids import new_id
from grove.postgres.reads import Reads
from grove.testing.postgres import outbox_types
from grove_resource.attachments.service import MAX_PER_TASK

pytestmark = pytest.mark.integration
PDF = b"%PDF-1.7\n" + bytes(range(256))


async def test_an_attached_file_is_listed_and_comes_back(ada, objects, resources):
    url = await ada.task()
    answer = await ada.attach(url, PDF, "Plan of the garden.pdf")
    attachment = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == attachment["url"] == f"{url}/{attachment['id']}"
    assert attachment | {"id": "", "url": "", "created_at": ""} == {
        "id": "",
        "task_id": url.split("/")[4],
        "name": "Plan of the garden.pdf",
        "content_type": "application/pdf",
        "size": len(PDF),
        "state": "available",
        "created_at": "",
        "url": "",
    }
    listed = await ada.call("GET", url)
    assert listed.json()["items"] == [attachment]
    download = await ada.call("GET", attachment["url"])
    assert (download.status_code, download.content) == (200, PDF)
    assert download.headers["etag"] == answer.headers["etag"] == f'"{hashlib.sha256(PDF).hexdigest()}"'
    assert list(objects().values()) == [len(PDF)]
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"]


async def test_a_deleted_file_is_gone_and_its_bytes_too(ada, objects):
    url = await ada.task()
    first, second = await ada.attached(url, b"first"), await ada.attached(url, b"second")
    assert (await ada.call("DELETE", first["url"])).status_code == 204
    assert (await ada.call("GET", first["url"])).status_code == 404
    assert (await ada.call("DELETE", first["url"])).status_code == 404
    assert (await ada.call("GET", second["url"])).content == b"second"
    assert list(objects().values()) == [6]


async def test_the_list_has_pages_cursors_and_orders(ada):
    url = await ada.task()
    for name, content in (("b", b"1"), ("a", b"333"), ("c", b"22")):
        await ada.attached(url, content, name)

    async def names(query: str) -> list[str]:
        return [item["name"] for item in (await ada.call("GET", f"{url}?{query}")).json()["items"]]

    assert await names("") == ["c", "a", "b"]
    assert await names("sort=name") == ["a", "b", "c"]
    assert await names("sort=-size") == ["a", "c", "b"]
    page = await ada.call("GET", f"{url}?size=2&page=2&sort=name")
    assert (page.json()["total"], page.json()["pages"], page.headers["x-total-count"]) == (3, 2, "3")
    for sort in ("name", "size", "created_at"):
        first = (await ada.call("GET", f"{url}?size=2&cursor=&sort={sort}")).json()
        second = (await ada.call("GET", f"{url}?size=2&cursor={first['next_cursor']}&sort={sort}")).json()
        assert len({item["id"] for item in first["items"] + second["items"]}) == 3
        assert second["next_cursor"] is None
    assert (await ada.call("GET", f"{url}?sort=state")).status_code == 422


async def everything(who, url: str, attachment: dict) -> dict[str, int]:
    """What `who` gets for each operation; deleting comes last."""
    return {
        "list": (await who.call("GET", url)).status_code,
        "walk": (await who.call("GET", f"{url}?cursor=")).status_code,
        "download": (await who.call("GET", attachment["url"])).status_code,
        "add": (await who.attach(url)).status_code,
        "delete": (await who.call("DELETE", attachment["url"])).status_code,
    }


async def test_strangers_get_403_whether_or_not_there_are_files(ada, bob, objects):
    url = await ada.task()
    attachment = await ada.attached(url)
    assert set((await everything(bob, url, attachment)).values()) == {403}
    empty = await ada.task()
    assert set((await everything(bob, empty, {"url": f"{empty}/{new_id()}"})).values()) == {403}
    assert (await ada.call("GET", empty)).json()["items"] == []
    assert len(objects()) == 1


async def test_a_task_that_is_not_there_is_a_404(ada, objects):
    url = f"/api/v1/tasks/{new_id()}/attachments"
    assert set((await everything(ada, url, {"url": f"{url}/{new_id()}"})).values()) == {404}
    assert (await ada.call("GET", f"{await ada.task()}/{new_id()}")).status_code == 404
    assert objects() == {}


async def test_a_file_is_found_under_its_own_task_only(ada):
    one, other = await ada.task(), await ada.task()
    attachment = await ada.attached(one)
    for method in ("GET", "DELETE"):
        assert (await ada.call(method, f"{other}/{attachment['id']}")).status_code == 404
    assert (await ada.call("GET", other)).json()["items"] == []


async def test_viewers_read_and_editors_also_change(ada, bob, somebody, share):
    url = await ada.task()
    attachment = await ada.attached(url)
    viewer, editor = somebody(), somebody()
    await share(url, viewer.id, "viewer")
    await share(url, editor.id, "editor")
    read = {"list": 200, "walk": 200, "download": 200}
    assert await everything(viewer, url, attachment) == read | {"add": 403, "delete": 403}
    assert "reading only" in (await viewer.attach(url)).json()["error"]["message"]
    assert await everything(editor, url, attachment) == read | {"add": 201, "delete": 204}
    assert (await bob.call("GET", url)).status_code == 403


async def test_a_deleted_task_is_read_and_not_changed(ada):
    url = await ada.task()
    attachment = await ada.attached(url)
    await ada.call("DELETE", url.removesuffix("/attachments"))
    answers = [await ada.attach(url), await ada.call("DELETE", attachment["url"])]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(400, "INVALID_STATE")] * 2
    assert (await ada.call("GET", attachment["url"])).content == b"oak"
    assert len((await ada.call("GET", url)).json()["items"]) == 1


async def test_scopes_are_asked_for(ada, client, issuer):
    url = await ada.task()
    for scope, method, status in (
        ("tasks:write", "GET", 403),
        ("tasks:read", "POST", 403),
        ("tasks:read", "GET", 200),
        ("tasks:write", "POST", 201),
    ):
        headers = issuer.headers(ada.id, scope=scope)
        body = {"files": {"file": ("a", b"a")}} if method == "POST" else {}
        assert (await client.request(method, url, headers=headers, **body)).status_code == status
    assert (await client.get(url)).status_code == 401


async def test_fifty_files_and_no_more_also_at_once(ada, objects):
    url = await ada.task()
    for _ in range(MAX_PER_TASK - 3):
        await ada.attached(url)
    answers = await asyncio.gather(*(ada.attach(url) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 3 + [422] * 5
    assert (await ada.call("GET", url)).json()["total"] == MAX_PER_TASK == len(objects())


async def test_a_repeated_upload_gets_its_first_answer(ada, objects):
    url = await ada.task()
    key = {"headers": {"Idempotency-Key": "k1"}}
    first = await ada.attach(url, PDF, **key)
    again = await ada.attach(url, PDF, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    for content, name in ((PDF + b"x", "plan.txt"), (PDF, "other.txt")):
        other = await ada.attach(url, content, name, **key)
        assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await ada.call("GET", url)).json()["total"] == 1 == len(objects())


async def test_the_same_key_at_once_attaches_once(ada, objects):
    url = await ada.task()
    answers = await asyncio.gather(*(ada.attach(url, headers={"Idempotency-Key": "k"}) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (await ada.call("GET", url)).json()["total"] == 1 == len(objects())


async def test_files_go_with_their_task_and_the_task_does_not_change(ada):
    url = await ada.task()
    task = url.removesuffix("/attachments")
    before = await ada.call("GET", task)
    attachment = await ada.attached(url)
    after = await ada.call("GET", task)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
    assert (await ada.call("DELETE", f"{task}?permanent=true")).status_code == 204
    assert (await ada.call("GET", attachment["url"])).status_code == 404


async def test_statements_are_few(ada, resources, monkeypatch):
    url = await ada.task()
    written: list[str] = []
    reads: list[str] = []
    first, every = Reads.first, Reads.all

    async def counted_first(self, statement, **values):
        reads.append(statement.text)
        return await first(self, statement, **values)

    async def counted_all(self, statement, **values):
        reads.append(statement.text)
        return await every(self, statement, **values)

    monkeypatch.setattr(Reads, "first", counted_first)
    monkeypatch.setattr(Reads, "all", counted_all)
    engine = resources.engine.sync_engine

    def count(_c, _cur, statement, *_):
        written.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        attachment = await ada.attached(url)
        assert len(written) == 3
        written.clear()
        await ada.call("GET", url)
        await ada.call("GET", attachment["url"])
        assert (len(reads), written) == (2, [])
        await ada.call("DELETE", attachment["url"])
        assert len(written) == 2
    finally:
        event.remove(engine, "before_cursor_execute", count)
