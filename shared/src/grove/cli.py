"""The `grove` command. Each distribution contributes a group of subcommands through the entry point
`grove.commands`, so that nothing here imports a service."""

from importlib.metadata import entry_points

import typer

app = typer.Typer(
    name="grove",
    help="Run, look into and operate a Grove suite.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """Entry point of the command."""
    for entry in sorted(entry_points(group="grove.commands"), key=lambda entry: entry.name):
        app.add_typer(entry.load(), name=entry.name)
    app()
