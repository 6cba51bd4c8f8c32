"""`make test`: every part's tests in a process of its own, on one set of servers; a summary; a closing line.

`make coverage` measures the parts' branch coverage, which takes long; it leaves out the journeys.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grove_stack.testing.servers import PORTS, servers, variable

ROOT = Path(__file__).parents[5]
LEAST_COVERAGE = 85
NOTHING_CHOSEN = 5
"""What pytest exits with when it ran nothing."""
PARTS = (
    "shared",
    "services/auth",
    "services/resource",
    "services/notification",
    "services/provider-sync",
    "gateway",
    "deploy/stack",
    "deploy/sandbox",
)
WITHOUT_SQLALCHEMY = {"services/auth"}
"""Parts whose coverage need not follow greenlets, which takes a quarter of its tests' time."""
console = Console()


@dataclass
class Result:
    """How one part went."""

    part: str
    code: int
    counts: dict[str, int]
    coverage: str
    seconds: float


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for: --unit, --integration, --coverage, --journeys, or all."""
    only = arguments[0] if arguments else ""
    measured = only == "--coverage"
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    began = time.monotonic()
    results: list[Result] = []
    if only != "--journeys":
        results += _parts(unit=only == "--unit", measured=measured)
    if only in {"", "--journeys"}:
        console.rule("tests-e2e", align="left")
        results.append(_run("tests-e2e", ["tests-e2e"], {}, measured=False))
    if measured:
        _measure(results)
    console.print(_table(results, measured=measured))
    counts: dict[str, int] = {}
    for result in results:
        for name, count in result.counts.items():
            counts[name] = counts.get(name, 0) + count
    failed = any(result.code for result in results)
    words = ", ".join(f"{count} {name}" for name, count in counts.items()) or "no tests ran"
    print(f"===== {words} in {time.monotonic() - began:.2f}s =====", flush=True)  # noqa: T201 - the closing line
    return 1 if failed or not counts else 0


def _parts(*, unit: bool, measured: bool) -> list[Result]:
    if unit:
        return [_part(part, ["-m", "not integration"], {}, measured=False) for part in PARTS]
    console.print("Starting the servers …")
    with servers() as folder:
        return [_part(part, [], {"GROVE_TEST_STATE_DIR": str(folder)}, measured=measured) for part in PARTS]


def _part(part: str, marks: list[str], environment: dict[str, str], *, measured: bool) -> Result:
    console.rule(part, align="left")
    return _run(part, [f"{part}/tests", *marks], environment, measured=measured)


def _measure(results: list[Result]) -> None:
    """Branch coverage of each distribution by the tests of all parts: shared is exercised by those who use it."""
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=True)
    for result in results:
        sources = f"{result.part}/src/*"
        done = subprocess.run(
            [*coverage, "report", f"--include={sources}", f"--fail-under={LEAST_COVERAGE}", "--skip-covered", "-m"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        covered = re.search(r"^TOTAL .* (\d+%)", done.stdout, re.MULTILINE)
        result.coverage = covered.group(1) if covered else "?"
        if done.returncode != 0:
            result.code = result.code or 1
            console.print(f"[red]{result.part} is covered less than {LEAST_COVERAGE} %[/red]\n{done.stdout}")


def _run(part: str, arguments: list[str], environment: dict[str, str], *, measured: bool) -> Result:
    began = time.monotonic()
    concurrency = ["--concurrency=thread"] if part in WITHOUT_SQLALCHEMY else []
    measuring = ["-m", "coverage", "run", *concurrency] if measured else []
    process = subprocess.Popen(
        [sys.executable, *measuring, "-m", "pytest", *arguments],
        cwd=ROOT,
        env={**_without_addresses(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    counts: dict[str, int] = {}
    for line in process.stdout or ():
        print(line, end="", flush=True)  # noqa: T201 - pass on what pytest says as it says it
        closing = re.search(r"\d+ (?:passed|failed|error).* in [\d.]+s", line)
        if closing:
            counts = {name.rstrip("s"): int(count) for count, name in re.findall(r"(\d+) ([a-z]+)", closing.group())}
    code = process.wait()
    if code == NOTHING_CHOSEN and "-m" in arguments:  # a part may have no test that needs no server
        code = 0
    return Result(part, code, counts, "", time.monotonic() - began)


def _without_addresses() -> dict[str, str]:
    """The environment of one part: the servers are up by now, and their folder says where."""
    given = {variable(server) for server in PORTS}
    return {name: value for name, value in os.environ.items() if name not in given}


def _table(results: list[Result], *, measured: bool) -> Table:
    table = Table("part", "result", "tests", *(["coverage"] if measured else []), "seconds")
    for result in results:
        word = "[green]ok[/green]" if result.code == 0 else "[red]failed[/red]"
        tests = ", ".join(f"{count} {name}" for name, count in result.counts.items())
        table.add_row(result.part, word, tests, *([result.coverage] if measured else []), f"{result.seconds:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
