"""Which process of the suite works how much."""

from typing import Any

import psutil


def seconds(suite: dict[str, Any]) -> dict[str, float]:
    """CPU seconds of each process so far, with its children's."""
    return {process["name"]: _seconds(process["pid"]) for process in suite["processes"]}


def _seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))
