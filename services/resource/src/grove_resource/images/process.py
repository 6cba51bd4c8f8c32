"""The process that decodes one picture: `python -m grove_resource.images.process <kind>`, file in, thumbnails out.

Decoders work on whatever strangers send. Here they may take a bounded time and memory, hold up nobody, and fail.
"""

import os
import resource
import sys
from pathlib import Path

from grove_resource.images.rules import Kind, Unreadable

CPU_SECONDS = 8
MEMORY_BYTES = 1024**3
REFUSED = 3
"""Exit code: the file is at fault, and a sentence about it is the output."""
LENGTH_BYTES = 4
"""Of the big-endian number before each thumbnail."""


def main() -> None:
    """Read, make, write."""
    _bound()
    kind, data = Kind(sys.argv[1]), sys.stdin.buffer.read()
    from grove_resource.images.thumbnails import thumbnails  # noqa: PLC0415 - the decoders load within the bounds

    try:
        made = thumbnails(kind, data)
    except Unreadable as reason:
        _refuse(str(reason))
    except Exception as error:  # noqa: BLE001 - decoders raise anything about a hostile file
        print(type(error).__name__, error, file=sys.stderr)  # noqa: T201 - for the log of the parent
        _refuse("The picture can't be read.")
    for thumbnail in made:
        sys.stdout.buffer.write(len(thumbnail).to_bytes(LENGTH_BYTES, "big") + thumbnail)


def _refuse(reason: str) -> None:
    sys.stdout.write(reason)
    sys.exit(REFUSED)


def _bound() -> None:
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))  # SIGXCPU first: SIGKILL is another's
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory ends, this one goes and not the api


if __name__ == "__main__":
    main()
