"""`?tag=` means what is stored: the same letters, however they are written."""

import unicodedata

import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("written", ["café", "CAFÉ", unicodedata.normalize("NFD", "Café"), "  café "])
async def test_a_tag_is_found_however_it_is_written(call, plant, client, me, written):
    task = await plant(tags=["Café"])
    await plant(tags=["cafe"])
    found = (await client.get("/api/v1/tasks", params={"tag": written}, headers=me)).json()["items"]
    assert [item["id"] for item in found] == [task]


@pytest.mark.parametrize("written", ["", "  ", "a\u202eb", "x" * 51])
async def test_what_can_be_no_tag_is_a_422(client, me, written):
    answer = await client.get("/api/v1/tasks", params={"tag": written}, headers=me)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "query.tag")
