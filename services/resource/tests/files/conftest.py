"""The two kinds of object store, real ones: what is tested with `files` is tested on both."""

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from moto.server import ThreadedMotoServer

from grove.core.ids import new_id
from grove_resource.files.store import FileStore
from grove_resource.settings import ResourceSettings


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3-compatible store."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_settings(settings: ResourceSettings, tmp_path: Path):
    """Settings for a bucket at an address."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in (*ResourceSettings.required_secrets, "files_s3_access_key", "files_s3_secret_key"):
        source = settings.secrets_dir / name
        (secrets / name).write_text(source.read_text() if source.exists() else "key-of-a-test")

    def made(endpoint: str, bucket: str = "") -> ResourceSettings:
        url = f"s3://{bucket or new_id().hex}/grove"
        changes = {"files_url": url, "files_s3_endpoint": endpoint, "secrets_dir": secrets}
        return ResourceSettings(**settings.model_dump() | changes)

    return made


@pytest.fixture(params=["folder", "s3"])
async def file_settings(request, settings, tmp_path, s3_settings) -> ResourceSettings:
    """Settings for an empty store of each kind."""
    if request.param == "folder":
        return settings.model_copy(update={"files_url": f"file://{tmp_path / 'files'}"})
    made: ResourceSettings = s3_settings(request.getfixturevalue("s3"))
    async with httpx2.AsyncClient(trust_env=False) as client:
        bucket = urlsplit(made.files_url).netloc
        assert (await client.put(f"{made.files_s3_endpoint}/{bucket}")).status_code == 200
    return made


@pytest.fixture
def files(file_settings) -> FileStore:
    return FileStore(file_settings)


@pytest.fixture
def stored(files):
    """What is in the store: path → size."""

    async def stored() -> dict[str, int]:
        return {file.path: file.size for folder in ("attachments", "photos") async for file in files.all(folder)}

    return stored
