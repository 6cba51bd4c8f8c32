"""`grove auth audit …`: the audit log for operators."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich import print as show
from rich.console import Console
from rich.progress import Progress

from grove.core.settings import load
from grove_auth.audit import seals
from grove_auth.audit.verification import Report, Verification
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings

T = TypeVar("T")
EXPORTED_AT_ONCE = 500

audit = typer.Typer(help="The audit log.", no_args_is_help=True)


@audit.command("head")
def head() -> None:
    """Print the newest seal as JSON. Keep it on another host: it proves later that nothing before it was cut off."""
    found = _run(lambda resources: resources.sealer.audit.last_seal())
    if found is None:
        show("[red]Nothing is sealed yet.[/red] Does auth's worker run?")
        raise typer.Exit(1)
    print(json.dumps(seals.head_of(found), indent=2))  # noqa: T201 - for a file


@audit.command("keys")
def keys() -> None:
    """Print the public keys of the seals as JSON, for `verify --keys`."""

    async def read(resources: Resources) -> dict[str, str]:
        return resources.sealer.keys.public()

    print(json.dumps(_run(read), indent=2))  # noqa: T201 - for a file


@audit.command("verify")
def verify(
    head_file: Annotated[Path | None, typer.Option("--head", help="What `head` printed before", exists=True)] = None,
    keys_file: Annotated[
        Path | None, typer.Option("--keys", help="What `keys` printed; by default the keys of the ring", exists=True)
    ] = None,
) -> None:
    """Look whether the log is as it was written. Exit code 1 when it is not."""
    known: dict[str, Any] | None = json.loads(head_file.read_text(encoding="utf-8")) if head_file else None
    given: dict[str, str] | None = json.loads(keys_file.read_text(encoding="utf-8")) if keys_file else None

    async def walk(resources: Resources) -> Report:
        last = await resources.sealer.audit.last_seal()
        public = given or resources.sealer.keys.public()
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Seals", total=last["_id"] if last else 0)
            verification = Verification(resources.sealer.audit, public, known)
            return await verification.run(lambda position: bar.update(task, completed=position))

    report = _run(walk)
    for finding in report.findings:
        print(finding)  # noqa: T201 - whole lines, for other programs
    if report.wrong > len(report.findings):
        print(f"… and {report.wrong - len(report.findings)} more.")  # noqa: T201
    looked_at = f"{report.entries} entries in {report.seals} seals; {report.waiting} wait to be sealed."
    if report.wrong:
        show(f"[red]The audit log was tampered with:[/red] {report.wrong} findings. Looked at {looked_at}")
        raise typer.Exit(1)
    show(f"[green]The audit log is whole.[/green] {looked_at}")


@audit.command("export")
def export(
    since: Annotated[datetime | None, typer.Option(help="From this moment on, in UTC")] = None,
) -> None:
    """Print entries as NDJSON, oldest first."""
    start = seals.first_id(since.replace(tzinfo=UTC)) if since else seals.FIRST

    async def write(resources: Resources) -> None:
        await resources.start()
        await resources.audit.add("audit.exported", None)
        last = start
        while page := await resources.sealer.audit.entries_after(last, EXPORTED_AT_ONCE):
            sys.stdout.writelines(json.dumps(document["entry"]) + "\n" for document in page)
            last = page[-1]["_id"]

    _run(write)


def _run(work: Callable[[Resources], Awaitable[T]]) -> T:
    async def run() -> T:
        resources = Resources(load(AuthSettings))
        try:
            return await work(resources)
        finally:
            await resources.aclose()

    return asyncio.run(run())
