"""The command line of a service: `api`, `worker`, `migrate`."""

from collections.abc import Callable, Mapping

import typer


def service_command(name: str, commands: Mapping[str, Callable[[], None]]) -> Callable[[], None]:
    """A `main` with one subcommand for each process of the service."""
    app = typer.Typer(name=name, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(lambda: None)  # so that a single command is a subcommand too
    for command, run in commands.items():
        app.command(command, help=run.__doc__)(run)
    return app
