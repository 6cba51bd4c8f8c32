"""Downloads: whole, in part, not again; harmless whatever the file and its name are."""

import re
from urllib.parse import unquote

import pytest

from grove.core.ids import new_id

pytestmark = pytest.mark.integration
BYTES = bytes(range(256)) * 10_000  # 2.56 MB: more than one piece
SIZE = len(BYTES)


@pytest.fixture
async def file(ada) -> dict:
    return await ada.attached(await ada.task(), BYTES, "bytes.bin")


@pytest.fixture
def get(ada, file):
    async def get(**headers):
        return await ada.call(
            "GET", file["url"], headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return get


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes={SIZE - 1}-{SIZE * 2}", SIZE - 1, SIZE - 1),
        ("bytes=1048570-1048590", 1048570, 1048590),
        ("Bytes=5-9", 5, 9),
    ],
)
async def test_one_range_is_a_206(get, wanted, first, last):
    answer = await get(range=wanted)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.content == BYTES[first : last + 1]


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
async def test_a_range_behind_the_end_is_a_416(get, wanted):
    answer = await get(range=wanted)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert answer.json()["error"]["code"] == "RANGE_NOT_SATISFIABLE"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-1,5-9", "bytes=9-5", "bytes=-", "bytes=a-b", "lines=0-1", "", "bytes", "bytes=" + "9" * 5000 + "-"],
)
async def test_what_is_not_one_range_gets_everything(get, wanted):
    answer = await get(range=wanted)
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-range" not in answer.headers


async def test_if_range_takes_the_present_strong_tag_only(get):
    tag = (await get()).headers["etag"]
    assert (await get(range="bytes=0-9", if_range=tag)).status_code == 206
    for other in (f"W/{tag}", '"other"', "Wed, 21 Oct 2026 07:28:00 GMT"):
        answer = await get(range="bytes=0-9", if_range=other)
        assert (answer.status_code, len(answer.content)) == (200, SIZE)
    assert (await get(range=f"bytes={SIZE}-", if_range='"other"')).status_code == 200


async def test_conditions_on_the_tag(get):
    tag = (await get()).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await get(if_none_match=known, range="bytes=0-9")
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"] == "private, no-store"
    assert (await get(if_none_match='"other"')).status_code == 200
    assert (await get(if_match='"other"')).status_code == 412


async def test_nothing_of_a_file_runs_in_a_browser(ada):
    url = await ada.task()
    for content in (b"<!doctype html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg"/>'):
        attachment = await ada.attached(url, content, "a.html")
        assert attachment["content_type"] == "text/plain"
        headers = (await ada.call("GET", attachment["url"])).headers
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["content-disposition"].startswith("attachment; ")
        assert headers["cache-control"] == "private, no-store"


HOSTILE = [
    ("../../etc/passwd", "passwd"),
    ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
    ("a\u202egnp.exe", "agnp.exe"),
    ("tab\tand\x7fdel\x85", "tabanddel"),
    ("..", "file"),
    ("/", "file"),
    (" . ", "file"),
    ("Gärten 🌳.txt", "Gärten 🌳.txt"),
    ('100% "quoted"; filename=x.txt', '100% "quoted"; filename=x.txt'),
    ("x" * 300 + ".tar", "x" * 251 + ".tar"),
    ("e\u0301.txt", "é.txt"),
]


@pytest.mark.parametrize(("given", "kept"), HOSTILE)
async def test_names_are_cleaned_and_stay_names(ada, given, kept):
    escaped = given.replace("\\", "\\\\").replace('"', '\\"') if '"' in given else given
    url = await ada.task()
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n\r\noak\r\n--b--\r\n'
    answer = await ada.call(
        "POST", url, content=body.encode(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == kept
    disposition = (await ada.call("GET", answer.json()["url"])).headers["content-disposition"]
    found = re.fullmatch(
        r"attachment; filename=\"([ !#$&-\[\]-~]*)\"; filename\*=UTF-8''([\w!#$&+.^`|~%-]+)", disposition
    )
    assert found, disposition
    assert unquote(found[2]) == kept


async def test_a_lost_object_is_a_404_and_not_a_500(ada, folder, file):
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    assert (await ada.call("GET", file["url"])).status_code == 404
    assert (await ada.call("GET", file["url"].rsplit("/", 1)[0] + f"/{new_id()}")).status_code == 404
