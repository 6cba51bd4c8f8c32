"""Stacks for tests: started in a folder of their own on free ports, removed without a trace."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from grove_stack.layout import Layout, read_json

_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder in it that is ours alone
_ROOM_BYTES = 4 << 30


def new_folder() -> Path:
    """An empty folder, in memory where there is room.

    Tests kill processes, which memory survives as a disk does, and their stores wait for the disk thousands of times.
    """
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix="grove-test-", dir=_MEMORY if in_memory else None))


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment of `grove stack` commands for the stack in `folder`."""
    own = {"GROVE_STATE_DIR": str(folder), "GROVE_HTTPS_PORT": "0", "GROVE_HTTP_PORT": "0", "GROVE_DURABLE": "false"}
    own["ENV_FILE"] = ""  # what a developer chose is not tested
    return {**os.environ, **own, **{f"GROVE_{name.upper()}": value for name, value in settings.items()}}


def command(folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run `grove …` for the stack in `folder`."""
    grove = Path(sys.executable).parent / "grove"
    return subprocess.run(
        [str(grove), *words],
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(folder: Path, *, scale: str = "", **settings: str) -> dict[str, Any]:
    """Start a stack; its suite.json. Raises RuntimeError with what it printed."""
    done = command(folder, "stack", "up", *(["--scale", scale] if scale else []), **settings)
    if done.returncode != 0:
        command(folder, "stack", "down")
        raise RuntimeError(f"The test stack did not start:\n{done.stdout}\n{done.stderr}")
    return read_json(Layout(folder).suite_file)


def remove(folder: Path) -> None:
    """Stop the stack and remove its folder."""
    command(folder, "stack", "down")
    shutil.rmtree(folder, ignore_errors=True)
