"""One behaviour of the object store, in a folder and in S3."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove_resource.files.store import PIECE_BYTES, FileStore, FileStoreAway

pytestmark = pytest.mark.integration


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(files: FileStore, path: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in files.get(path, start=start, end=end)])


async def test_what_is_put_comes_back_whole_and_in_parts(files):
    parts = [bytes([number]) * 65536 for number in range(160)]
    whole = b"".join(parts)
    await files.put("attachments/a", chunks(*parts))
    assert await read(files, "attachments/a", 0, len(whole)) == whole
    assert await read(files, "attachments/a", 65530, 65540) == whole[65530:65540]
    assert await read(files, "attachments/a", len(whole) - 3, len(whole)) == whole[-3:]


async def test_it_comes_in_pieces(files):
    await files.put("attachments/a", chunks(*[b"x" * 65536] * 160))
    sizes = [len(piece) async for piece in files.get("attachments/a", start=5, end=160 * 65536)]
    assert max(sizes) == PIECE_BYTES
    assert (len(sizes), sum(sizes)) == (10, 160 * 65536 - 5)


async def test_a_small_one_is_read_whole(files):
    await files.put("photos/a/64.webp", chunks(b"1", b"2"))
    assert await files.read("photos/a/64.webp") == b"12"
    with pytest.raises(FileNotFoundError):
        await files.read("photos/b/64.webp")


async def test_putting_again_replaces(files, stored):
    await files.put("photos/a/64.webp", chunks(b"old and long"))
    await files.put("photos/a/64.webp", chunks(b"new"))
    assert await read(files, "photos/a/64.webp", 0, 3) == b"new"
    assert await stored() == {"photos/a/64.webp": 3}


async def test_what_fails_half_way_leaves_nothing(files, stored):
    async def failing() -> AsyncIterator[bytes]:
        for _ in range(120):
            yield b"x" * 65536
        raise RuntimeError("the source is lost")

    with pytest.raises(RuntimeError):
        await files.put("attachments/a", failing())
    assert await stored() == {}
    if files.folder is not None:
        assert [path for path in files.folder.rglob("*") if path.is_file()] == []


async def test_what_is_not_there(files):
    with pytest.raises(FileNotFoundError):
        await read(files, "attachments/none", 0, 1)
    await files.delete(["attachments/none"])
    assert await files.check() is None


async def test_deleting_and_listing(files, stored):
    for name in ("attachments/a", "attachments/b", "photos/a/64.webp"):
        await files.put(name, chunks(b"1", b"2"))
    listed = {file.path: file async for file in files.all("attachments")}
    assert set(listed) == {"attachments/a", "attachments/b"}
    assert abs(listed["attachments/a"].modified_at - now()) < timedelta(seconds=5)
    await files.delete(["attachments/a", "attachments/none", "photos/a/64.webp"])
    assert await stored() == {"attachments/b": 2}
    if files.folder is not None:
        assert not (files.folder / "photos").exists()  # no empty folder for each photo there ever was


async def test_a_bucket_that_is_not_there_is_a_store_that_is_away(s3, s3_settings):
    files = FileStore(s3_settings(s3, "nobody-made-it"))
    with pytest.raises(FileStoreAway):
        await files.put("attachments/a", chunks(b"1"))
    with pytest.raises(FileStoreAway):
        assert [file async for file in files.all("attachments")] == []


async def test_settings_that_can_not_work_are_refused_at_the_start(settings, s3_settings):
    made = s3_settings("http://127.0.0.1:1")
    (made.secrets_dir / "files_s3_secret_key").unlink()
    for changes, word in (({"files_url": "/var/files"}, "FILES_URL"), (made.model_dump(), "files_s3_secret_key")):
        with pytest.raises(ValueError, match=word):
            type(settings)(**settings.model_dump() | changes)
