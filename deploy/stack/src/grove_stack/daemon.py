"""Starting, finding and ending the supervisor in the background."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from grove_stack.layout import Layout, read_json
from grove_stack.process import started_at
from grove_stack.settings import StackSettings


def supervisor_pid(layout: Layout) -> int | None:
    """The pid of the stack's living supervisor."""
    recorded = read_json(layout.status_file).get("supervisor", {})
    pid = recorded.get("pid")
    if recorded.get("stopped") or not pid or started_at(pid) != recorded.get("started"):
        return None
    return int(pid)


def launch(settings: StackSettings) -> "subprocess.Popen[bytes]":
    """Start the supervisor in a session of its own."""
    layout = Layout(settings.state_dir.resolve())
    environment = dict(os.environ) | {
        f"GROVE_{name.upper()}": str(value) for name, value in settings.model_dump().items()
    }
    environment["GROVE_STATE_DIR"] = str(layout.root)
    with layout.log_file("supervisor").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "grove_stack.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def tell(layout: Layout, number: signal.Signals) -> bool:
    """Send a signal to the stack's supervisor; False when none lives."""
    pid = supervisor_pid(layout)
    if pid is None:
        return False
    os.kill(pid, number)
    return True


def status(layout: Layout) -> dict[str, Any]:
    """What the supervisor last told."""
    return read_json(layout.status_file)


def stop(layout: Layout, *, seconds: float = 60) -> bool:
    """End the stack and wait for it; False when nothing ran."""
    pid = supervisor_pid(layout)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while supervisor_pid(layout) == pid and time.monotonic() < deadline:
        time.sleep(0.1)
    return True
