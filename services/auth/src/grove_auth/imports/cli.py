"""`grove auth users import`: accounts from a file, one JSON object a line."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import print as show
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from grove_auth.cli.running import operate
from grove_auth.imports.schemas import MAX_ROWS
from grove_auth.imports.service import ImportService
from grove_auth.resources import Resources


def import_users(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="One JSON object a line")],
) -> None:
    """Import accounts of another system with their password hashes. Doing it again creates nothing twice.

    Each line has what a row of POST /admin/users/import has: email, name, password_hash, locale, timezone, roles,
    email_verified, created_at. Refused lines are listed; the others are imported though.
    """
    counts = operate(lambda resources: _import(resources, file, file.stat().st_size))
    show(f"[green]{counts['created']} created[/green], {counts['exists']} were there, {counts['refused']} refused.")
    if counts["refused"]:
        raise typer.Exit(1)


async def _import(resources: Resources, file: Path, size: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("importing", total=size)
        imports, first = ImportService(resources), 1
        for rows, done in _portions(file):
            for result in await imports.run(rows, None):
                counts[result.status] += 1
                if result.reason is not None:
                    where = f"line {first + result.row} ({result.email or 'no address'})"
                    console.print(f"[red]refused[/red] {escape(where)}: {escape(result.reason)}")
            first += len(rows)
            progress.advance(task, done)
    return counts


def _portions(file: Path) -> Iterator[tuple[list[Any], int]]:
    """Rows as they are imported at once, and how many bytes of the file they are."""
    rows: list[Any] = []
    size = 0
    with file.open("rb") as lines:
        for line in lines:
            rows.append(_parsed(line))
            size += len(line)
            if len(rows) == MAX_ROWS:
                yield rows, size
                rows, size = [], 0
    if rows:
        yield rows, size


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # refused like everything else that is no account
        return line.decode(errors="replace").strip()
