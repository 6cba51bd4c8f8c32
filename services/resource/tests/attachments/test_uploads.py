"""What arrives as an upload and is none, or too much of one."""

import errno

import pytest
from starlette.datastructures import UploadFile

pytestmark = pytest.mark.integration
LIMIT = 10 * 1024 * 1024


def form(*parts: str, boundary: str = "b") -> bytes:
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts).encode() + f"--{boundary}--\r\n".encode()


FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\noak'


@pytest.fixture
async def send(ada):
    url = await ada.task()

    async def send(body: bytes, kind: str = "multipart/form-data; boundary=b"):
        answer = await ada.call("POST", url, content=body, headers={"Content-Type": kind})
        assert (await ada.call("GET", url)).json()["total"] == (1 if answer.status_code == 201 else 0)
        return answer

    return send


async def test_ten_mebibytes_are_taken_and_one_byte_more_is_not(ada, objects):
    url = await ada.task()
    attachment = await ada.attached(url, b"x" * LIMIT)
    assert attachment["size"] == LIMIT
    refused = await ada.attach(url, b"x" * (LIMIT + 1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert (await ada.attach(url, b"x" * (LIMIT + 100_000))).status_code == 413
    assert list(objects().values()) == [LIMIT]


async def test_a_body_without_a_length_is_counted(ada):
    url = await ada.task()

    async def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(400):
            yield b"x" * 65536

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await ada.call("POST", url, content=endless(), headers=headers)).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        form('Content-Disposition: form-data; name="other"; filename="a.txt"\r\n\r\noak'),
        form('Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'),
        form(),
    ],
    ids=["another field", "empty", "no part"],
)
async def test_a_form_without_a_whole_file_is_a_422(send, body, objects):
    answer = await send(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert objects() == {}


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
async def test_half_a_file_is_none(send, objects):
    """The form's reader leaves the half to the garbage collector, which warns of that."""
    assert (await send(form(FILE)[:-9])).status_code == 422
    assert objects() == {}


@pytest.mark.parametrize(
    "body",
    [
        form(FILE, FILE),
        form(FILE, 'Content-Disposition: form-data; name="more"\r\n\r\nx'),
        form('Content-Disposition: form-data; name="file"\r\n\r\noak'),
        form('Content-Disposition: form-data; filename="a.txt"\r\n\r\noak'),
        form(f'Content-Disposition: form-data; name="file"; filename="{"x" * 9000}"\r\n\r\noak'),
        form(FILE, boundary="c"),
        b"not a form",
    ],
    ids=["two files", "a field too", "a field", "no name", "long header", "another boundary", "no form"],
)
async def test_a_broken_form_is_a_400(send, body, objects):
    assert (await send(body)).status_code == 400
    assert objects() == {}


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        *(f"multipart/form-data; boundary=b; charset={name}" for name in ("undefined", "punycode", "idna", "utf-7")),
        "multipart/form-data; charset=utf-8; charset='undefined'; boundary=b",
    ],
)
async def test_another_kind_of_body_is_a_415(send, kind):
    assert (await send(form(FILE), kind)).status_code == 415


async def test_a_client_that_says_utf_8_is_taken_and_one_without_a_boundary_is_not(send):
    assert (await send(form(FILE), "multipart/form-data")).status_code == 400
    assert (await send(form(FILE), 'multipart/form-data; charset="UTF-8"; boundary=b')).status_code == 201


async def test_no_room_for_what_arrives_is_a_503(ada, objects, monkeypatch):
    url = await ada.task()

    async def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(UploadFile, "write", full)
    answer = await ada.attach(url)
    assert (answer.status_code, answer.headers["retry-after"], objects()) == (503, "1", {})


async def test_a_client_that_goes_away_half_way_leaves_nothing(app, ada, objects):
    url = await ada.task()
    headers = ada.headers | {"Content-Type": "multipart/form-data; boundary=b"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": url,
        "raw_path": url.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }
    messages = [
        {"type": "http.request", "body": form(FILE)[:-9], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert ((await ada.call("GET", url)).json()["total"], objects()) == (0, {})
