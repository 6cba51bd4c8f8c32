"""docs/adding-a-service.md, followed to the letter in a scratch clone."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import asyncpg
import pytest

from grove_stack.layout import Layout

ROOT = Path(__file__).parents[1]


def steps() -> list[str]:
    """The commands of the page, block by block."""
    page = (ROOT / "docs" / "adding-a-service.md").read_text()
    blocks = re.findall(r"^ +```\n(.*?)^ +```", page, re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix("   ") for line in block.splitlines()) for block in blocks]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "grove"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, (raw.decode() for raw in tracked)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    yield folder
    subprocess.run(["make", "clean"], cwd=folder, env=environment(folder), check=False, capture_output=True)


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GROVE_", "COVERAGE", "COV_"))}
    return {
        **kept,
        "GROVE_HTTPS_PORT": "0",
        "GROVE_HTTP_PORT": "0",
        "GROVE_DURABLE": "false",
        "GROVE_STATE_DIR": str(folder / ".grove"),
    }


@pytest.mark.timeout(1800)  # it installs a whole environment
async def test_a_fifth_service_starts_is_routed_and_hears_of_tasks(clone, suite, ada, wait_until):
    blocks = steps()
    assert len(blocks) == 6
    for block in blocks:
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-ec", block],
            cwd=clone,
            env=environment(clone),
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    fifth = type(suite)(clone / ".grove")
    assert {"journal-api", "journal-worker"} <= {process["name"] for process in fifth.file["processes"]}
    async with fifth.client() as client:
        person = await type(ada)(fifth, client).register()
        made = await person.call("POST", "/journal", json={"title": "Routed"})
        assert made.status_code == 201, made.text
        assert (await person.call("GET", f"/tasks/{made.json()['id']}")).status_code == 404, "a store of its own"
        await person.call("POST", "/tasks", json={"title": "Heard of"})

        async def known() -> list[str]:
            layout = Layout(clone / ".grove")
            ports = json.loads((layout.root / "ports.json").read_text())
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=ports["postgres"],
                user="journal",
                database="journal",
                password=layout.secret("journal", "database_password"),
            )
            found = await connection.fetch("SELECT id FROM users")
            await connection.close()
            return [str(row["id"]) for row in found]

        async def heard() -> bool:
            return await known() == [made.json()["user_id"]]

        async def erased() -> bool:
            return await known() == []

        await wait_until(heard, 30)
        assert (await client.delete(f"{fifth.auth}/me", headers=person.headers)).status_code == 204
        await wait_until(erased, 30)
