"""The checking process: `python -m grove_resource.activities.data_schemas.child`.

The validator holds Python's interpreter lock as long as it works, so a thread would stand in the way of the event loop
all the same. A process of its own can also be ended: the kernel ends this one at SIGPROF, when one request took more
than CPU_SECONDS of processor time, and refuses it memory beyond MEMORY_BYTES.

Requests and answers are frames: four bytes of length, then JSON.
  {"schema": {…}}
    → {"problem": null | {"message", "pointer"}}
  {"schema": {…}, "data": [{…}, …], "explain": 20}
    → {"invalid": [index, …]}, then {"violations": [[pointer, keyword, message], …]} of the first `explain` of those
The verdict goes out first: saying what is wrong can take far longer than finding that something is.
"""

import contextlib
import json
import os
import resource
import signal
import struct
import sys
from functools import lru_cache
from typing import Any, BinaryIO

from grove_resource.activities.data_schemas.costs import cost_of
from grove_resource.activities.data_schemas.measure import Refused
from grove_resource.activities.data_schemas.rules import subschemas_of
from grove_resource.activities.data_schemas.validators import compiled, first_violation

CPU_SECONDS = 0.5
MEMORY_BYTES = 256 * 1024 * 1024
LENGTH = struct.Struct(">I")
_NICENESS = 5

_validator = lru_cache(maxsize=16)(lambda text: compiled(json.loads(text)))


def problem_of(schema: Any) -> dict[str, str] | None:
    """Why `schema` is not taken; None when it is."""
    try:
        found = subschemas_of(schema)
        cost_of(found)
        compiled(schema)
    except Refused as refused:
        return {"message": refused.message, "pointer": refused.pointer}
    return None


def main() -> None:
    """Answer requests until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(LENGTH.size):
        request = requests.read(*LENGTH.unpack(head))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        _work(json.loads(request), answers)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _work(request: dict[str, Any], answers: BinaryIO) -> None:
    if "data" not in request:
        _send(answers, {"problem": problem_of(request["schema"])})
        return
    validator = _validator(json.dumps(request["schema"]))
    data = request["data"]
    invalid = [index for index, value in enumerate(data) if not validator.is_valid(value)]
    _send(answers, {"invalid": invalid})
    firsts = [first_violation(validator, data[index]) for index in invalid[: request["explain"]]]
    _send(answers, {"violations": [[v.pointer, v.keyword, v.message] for v in firsts if v is not None]})


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    answers.write(LENGTH.pack(len(body)) + body)
    answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
