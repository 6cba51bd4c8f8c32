"""The command line of a service: `api`, `worker`, `migrate`."""

import gc
from collections.abc import Callable, Mapping
from pkgutil import resolve_name

import typer

HELP = {
    "api": "Serve until stopped.",
    "worker": "Work until stopped.",
    "migrate": "Bring the database to the newest revision.",
}


def service_command(name: str, commands: Mapping[str, str]) -> Callable[[], None]:
    """A `main` with one subcommand for each process of the service.

    `commands`: what each runs, as `package.module:function`. It is imported when its turn has come, so that no process
    holds and waits for what only another one needs.
    """
    app = typer.Typer(name=name, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(lambda: None)  # so that a single command is a subcommand too
    for command, target in commands.items():
        app.command(command, help=HELP[command])(_running(target))
    return app


def _running(target: str) -> Callable[[], None]:
    def run() -> None:
        gc.disable()  # while modules are made there is little garbage, and looking for it takes a fifth of the time
        function: Callable[[], None] = resolve_name(target)
        gc.enable()
        function()

    return run
