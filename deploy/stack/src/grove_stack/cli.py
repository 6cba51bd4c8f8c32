"""`grove stack …`: the local stack."""

import asyncio
import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from grove_stack import daemon
from grove_stack.compose import write_files
from grove_stack.demo import Demo, DemoFailed
from grove_stack.development import run_migration, run_operator, watch
from grove_stack.layout import Layout, read_json, write_json
from grove_stack.preflight import install_broker, problems
from grove_stack.process import last_lines
from grove_stack.settings import StackSettings
from grove_stack.supervisor import sweep

commands = typer.Typer(help="The whole suite on this machine, without Docker.", no_args_is_help=True)
console = Console()
START_SECONDS = 240
_WORDS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For commands that hand on what follows them."""
_COLOURS = {"ready": "green", "done": "green", "starting": "yellow", "running": "yellow", "waiting": "dim"}


@commands.command("setup")
def setup() -> None:
    """Install what PyPI lacks: RabbitMQ, by the machine's package manager."""
    problem = install_broker()
    if problem:
        console.print(f"[red]✗[/red] {problem}")
        raise typer.Exit(1)


@commands.command("up")
def up(
    scale: Annotated[str, typer.Option(help="Copies, e.g. resource-api=2,notification-worker=3")] = "",
) -> None:
    """Start the stack, or change the number of copies of a running one; returns when all is ready."""
    settings = StackSettings()
    layout = Layout(settings.state_dir.resolve())
    running = daemon.supervisor_pid(layout) is not None
    found = problems(settings, running=running)
    if found:
        for problem in found:
            console.print(f"[red]✗[/red] {problem}")
        raise typer.Exit(1)
    layout.folder()
    _want(layout, scale, keep=running and not scale)
    if running:
        daemon.tell(layout, signal.SIGHUP)
        time.sleep(0.5)
    else:
        sweep(read_json(layout.status_file))
        layout.status_file.unlink(missing_ok=True)
        daemon.launch(settings)
    if not _watch(layout):
        raise typer.Exit(1)
    if settings.parts == "all":
        console.print(card(layout))


@commands.command("stop")
def stop(names: Annotated[list[str], typer.Argument(help="Processes, such as rabbitmq or resource-worker")]) -> None:
    """Stop single processes and leave them stopped, to see how the suite bears it."""
    _hold(add=set(names), remove=set())


@commands.command("start")
def start(names: Annotated[list[str], typer.Argument(help="Processes that were stopped")]) -> None:
    """Start processes that `stop` stopped; returns when all is ready."""
    layout = _hold(add=set(), remove=set(names))
    if not _watch(layout):
        raise typer.Exit(1)


def _hold(*, add: set[str], remove: set[str]) -> Layout:
    layout = Layout(StackSettings().state_dir.resolve())
    known = set(daemon.status(layout).get("parts", {}))
    unknown = sorted((add | remove) - known)
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is not one of: {', '.join(sorted(known)) or 'nothing; the stack is down'}"
        )
    wanted = read_json(layout.wanted_file)
    held = (set(wanted.get("stopped", [])) | add) - remove
    write_json(layout.wanted_file, wanted | {"stopped": sorted(held)})
    daemon.tell(layout, signal.SIGHUP)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        states = {name: part["state"] for name, part in daemon.status(layout).get("parts", {}).items()}
        if all(states.get(name) == "stopped" for name in held) and all(states.get(n) != "stopped" for n in remove):
            break
        time.sleep(0.1)
    console.print(f"Stopped: {', '.join(sorted(held)) or 'nothing'}.")
    return layout


@commands.command("down")
def down() -> None:
    """Stop the stack; data stays."""
    layout = Layout(StackSettings().state_dir.resolve())
    status = daemon.status(layout)
    if daemon.stop(layout):
        console.print("[green]✓[/green] The stack is down. Data is kept; `make clean` removes it.")
    else:
        sweep(status)
        console.print("Nothing was running.")


def _check_up(layout: Layout) -> None:
    if daemon.supervisor_pid(layout) is None:
        console.print("The stack is down. Start it with `make up`.")
        raise typer.Exit(1)


@commands.command("status")
def status(as_json: Annotated[bool, typer.Option("--json", help="Print suite.json")] = False) -> None:
    """Show what runs."""
    layout = Layout(StackSettings().state_dir.resolve())
    if as_json:
        print(json.dumps(read_json(layout.suite_file), indent=2))  # noqa: T201 - for programs
        return
    _check_up(layout)
    console.print(_table(daemon.status(layout), layout))


@commands.command("logs")
def logs(
    process: Annotated[str, typer.Argument(help="Name of a process; empty: all")] = "",
    lines: Annotated[int, typer.Option(help="How many lines of each")] = 20,
) -> None:
    """Show the end of the logs."""
    layout = Layout(StackSettings().state_dir.resolve())
    files = sorted((layout.root / "log").glob("*.log"))
    for file in files:
        if process and file.stem != process:
            continue
        console.print(f"[bold]── {file.stem}[/bold] {file}")
        for line in last_lines(file, lines):
            console.print(line, markup=False, highlight=False)


@commands.command("demo")
def demo() -> None:
    """Start the stack if it is down, and walk through the main job."""
    layout = Layout(StackSettings().state_dir.resolve())
    if daemon.supervisor_pid(layout) is None or not daemon.status(layout).get("ready"):
        up("")
    try:
        asyncio.run(Demo(layout, console).run())
    except DemoFailed as failure:
        console.print(f"[red]✗[/red] {failure}")
        raise typer.Exit(1) from None
    console.print("[green]✓[/green] That was the main job. The suite keeps running.")
    console.print(card(layout))


@commands.command("files")
def files(folder: Annotated[Path, typer.Argument(help="Folder that containers mount at /grove")]) -> None:
    """Write certificates, secrets and server files for containers (docker compose, Kubernetes)."""
    write_files(folder.resolve())
    console.print(f"[green]✓[/green] Written to {folder}. Next: docker compose up --build --wait")


@commands.command("auth", context_settings=_WORDS, add_help_option=False)
def auth(context: typer.Context) -> None:
    """Run `grove auth …` on this stack's accounts: `grove stack auth users list`."""
    _operate("auth", "auth", context)


@commands.command("providers", context_settings=_WORDS, add_help_option=False)
def providers(context: typer.Context) -> None:
    """Run `grove providers …` on this stack's connections: `grove stack providers list`."""
    _operate("provider-sync", "providers", context)


def _operate(service: str, group: str, context: typer.Context) -> None:
    _check_up(Layout(StackSettings().state_dir.resolve()))
    raise typer.Exit(run_operator(StackSettings(), service, [group, *context.args]))


@commands.command("migration")
def migration(
    service: Annotated[str, typer.Argument(help="Service, such as resource")],
    action: Annotated[str, typer.Argument(help="create, up, down, history or current")],
    message: Annotated[str, typer.Argument(help="For create: what changes")] = "",
) -> None:
    """Work on a service's migrations, against the running stack's database."""
    _check_up(Layout(StackSettings().state_dir.resolve()))
    raise typer.Exit(run_migration(StackSettings(), service, action, message))


@commands.command("dev")
def dev() -> None:
    """Start the stack and restart a service's processes when its code changes, until Ctrl-C."""
    layout = Layout(StackSettings().state_dir.resolve())
    up("")
    console.print("Watching the code; Ctrl-C ends the watching, the suite keeps running.")
    watch(layout, console)


@commands.command("reset")
def reset() -> None:
    """Stop the stack and remove its data, keeping certificates and ports."""
    layout = Layout(StackSettings().state_dir.resolve())
    daemon.stop(layout)
    for name in ("postgres", "mongodb", "valkey", "rabbitmq", "mail", "admin-created", "log"):
        _remove(layout.root / name)
    console.print("[green]✓[/green] Data removed. `make up` starts afresh.")


@commands.command("clean")
def clean() -> None:
    """Stop the stack and remove everything it made."""
    layout = Layout(StackSettings().state_dir.resolve())
    daemon.stop(layout)
    _remove(layout.root)
    console.print("[green]✓[/green] The stack is gone.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _want(layout: Layout, scale: str, *, keep: bool) -> None:
    if keep and layout.wanted_file.exists():
        return
    wanted: dict[str, int] = {}
    for part in filter(None, scale.split(",")):
        name, _, count = part.partition("=")
        if not count.isdigit() or int(count) > 20:
            raise typer.BadParameter(f"{part!r}: write NAME=COUNT, such as resource-api=2; COUNT is 0 to 20")
        wanted[name.strip()] = int(count)
    write_json(layout.wanted_file, {"scale": wanted})


def _watch(layout: Layout) -> bool:
    """Show progress until all is ready; False when something failed."""
    deadline = time.monotonic() + START_SECONDS
    seen: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else _Silent() as live:
        while time.monotonic() < deadline:
            told = daemon.status(layout)
            live.update(_table(told, layout, short=True))
            if not console.is_terminal:
                _print_changes(told, seen)
            broken = _broken(told)
            if broken:
                break
            if told.get("ready") and told.get("applied") == read_json(layout.wanted_file):
                console.print(f"[green]✓[/green] {len(told['parts'])} parts ready in {told['seconds']} s")
                return True
            time.sleep(0.2)
        else:
            broken = {
                n: p["detail"]
                for n, p in daemon.status(layout).get("parts", {}).items()
                if p["state"] not in {"ready", "done"}
            }
    for name, detail in broken.items():
        console.print(
            Panel(detail or "not ready in time", title=f"[red]{name}[/red]", subtitle=str(layout.log_file(name)))
        )
        for line in last_lines(layout.log_file(name), 20):
            console.print(line, markup=False, highlight=False)
    console.print("[red]✗[/red] The stack is not ready. What runs keeps running; `make down` stops it.")
    return False


def _broken(told: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(part["detail"])
        for name, part in told.get("parts", {}).items()
        if part["state"] in {"failed", "failing"}
    }


def _print_changes(told: dict[str, Any], seen: dict[str, str]) -> None:
    for name, part in told.get("parts", {}).items():
        state = part["state"]
        if seen.get(name) != state and state in {"ready", "done", "restarting", "failed"}:
            console.print(f"  {told['seconds']:5.1f} s  {name} {state}", highlight=False)
        seen[name] = state


def _table(told: dict[str, Any], layout: Layout, *, short: bool = False) -> Table:
    table = Table("part", "state", "pid", "address", "restarts", box=None)
    addresses = {p["name"]: p["address"] or "" for p in read_json(layout.suite_file).get("processes", [])}
    for name, part in told.get("parts", {}).items():
        state = str(part["state"])
        colour = _COLOURS.get(state, "red")
        detail = f" {part['detail'].splitlines()[0][:60]}" if part["detail"] and not short else ""
        table.add_row(
            name,
            f"[{colour}]{state}[/{colour}]{detail}",
            str(part["pid"] or ""),
            addresses.get(name, ""),
            str(part["restarts"] or ""),
        )
    return table


def card(layout: Layout) -> Panel:
    """Where everything is, and what to do next."""
    suite = read_json(layout.suite_file)
    lines = [
        f"Portal       {suite['portal_url']}",
        f"Auth         {suite['auth_url']}/api/v1/auth",
        f"API          {suite['api_url']}/api/v1",
        f"Mail         {suite['mail_dir']}",
        f"Sandbox      {suite['sandbox_url']}",
        f"Admin        {suite['admin']['email']}  {suite['admin']['password']}",
        "",
        f"curl --cacert {suite['ca_file']} {suite['auth_url']}/.well-known/jwks.json",
        "",
        "make demo    watch it work      make status   what runs",
        "make logs    the newest lines   make down     stop it",
    ]
    return Panel(
        "\n".join(lines),
        title="Grove is up",
        subtitle="development profile: not for production",
        expand=False,
    )


class _Silent:
    """Stands in for the live table where there is no terminal."""

    def __enter__(self) -> "_Silent":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def update(self, _: Table) -> None:
        """Nothing to draw."""


if __name__ == "__main__":
    sys.exit(commands())
