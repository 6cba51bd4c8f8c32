"""docs/benchmarks.md: a section for each part, which says when and where it was measured."""

import os
import platform
import re
from pathlib import Path

import psutil

from grove.core.clock import now
from grove_stack.bench.accounts import Row

PAGE = Path(__file__).parents[5] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Written by `make bench`; `make bench P=live` measures one part anew and leaves the others as they are. Absolute figures
are those of the machine that a section names; what can be compared are its ratios.
"""


def write(measured: dict[str, tuple[str, list[Row]]], order: list[str], page: Path = PAGE) -> None:
    """Put the sections of the parts that were measured in the place of older ones."""
    sections = _sections(page.read_text(encoding="utf-8"))
    sections |= {part: _section(note, rows) for part, (note, rows) in measured.items()}
    found = [f"## {part}\n\n{sections[part]}\n" for part in order if part in sections]
    page.write_text("\n".join([_HEAD, *found]), encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    _, *parts = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _section(note: str, rows: list[Row]) -> str:
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        f"Measured on {now():%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}. {note}",
        "",
        "| what | Grove | beside it | ratio | aim |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines)
