"""`grove graphql …`: the schema as a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

commands = typer.Typer(help="The GraphQL schema of the resource service.", no_args_is_help=True)
commands.callback()(lambda: None)  # so that a single command is a subcommand too

FILE = Path("services/resource/schema.graphql")


@commands.command("schema")
def schema(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the file is current")] = False,
) -> None:
    """Write the schema definition, for clients that generate code from it."""
    from grove_resource.graphql.schema import SCHEMA  # noqa: PLC0415 - other commands need no service's models

    text = SCHEMA.as_str() + "\n"
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text:
        show("All current.")
        return
    if check:
        show(f"[red]Stale:[/red] {FILE}. Run `make docs`.")
        raise typer.Exit(1)
    FILE.write_text(text, encoding="utf-8")
    show(f"Written: {FILE}.")
