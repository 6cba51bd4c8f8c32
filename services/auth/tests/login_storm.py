"""200 sign-ins at once, in a process of their own with the real Argon2 parameters. Prints what they were answered and
by how many MiB the process grew; test_throttling.py runs it."""

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path

from grove.core.settings import load
from grove.testing.http import client_of
from grove_auth.main import build
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def mebibytes(name: str) -> float:
    """VmRSS, the memory held now, or VmHWM, the most that was held."""
    found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found.group(1)) / 1024


async def storm(email: str, password: str) -> dict:
    """The answers' statuses, and the growth."""
    settings = load(AuthSettings)
    resources = Resources(settings)
    await resources.start()
    async with client_of(build(settings, resources), base_url="https://auth.test") as client:

        async def login(number: int):
            body = {"email": email if number % 2 else f"nobody{number}@example.com", "password": password}
            headers = {"X-Forwarded-For": f"2001:db8:0:{number}::1"}
            return await client.post("/api/v1/auth/login", json=body, headers=headers)

        await asyncio.gather(*(login(number) for number in range(6)))
        await asyncio.to_thread(RESET.write_text, "5")  # VmHWM begins anew
        before = mebibytes("VmRSS")
        answers = await asyncio.gather(*(login(number) for number in range(6, 206)))
        grown = mebibytes("VmHWM") - before
    await resources.aclose()
    told = all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    return {
        "statuses": Counter(answer.status_code for answer in answers),
        "told_when": told,
        "grown": grown,
        "memory_kib": settings.argon2_memory_kib,
    }


if __name__ == "__main__":
    print("storm:" + json.dumps(asyncio.run(storm(*sys.argv[1:]))))  # noqa: T201
