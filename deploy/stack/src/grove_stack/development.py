"""What developers do all day: commands and migrations against the running stack, restarts when code changes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from watchfiles import watch as watch_files

from grove_stack import daemon
from grove_stack.layout import Layout, read_json
from grove_stack.plan import Plan
from grove_stack.services import SERVICES
from grove_stack.settings import StackSettings

ROOT = Path(__file__).parents[4]
_ALEMBIC = {"up": ["upgrade", "head"], "down": ["downgrade", "-1"], "history": ["history"], "current": ["current"]}


def run_operator(settings: StackSettings, name: str, words: list[str]) -> int:
    """Run `grove …` with the settings of the stack's service of that name; its exit code."""
    plan = Plan(settings)
    service = next(service for service in SERVICES if service.name == name)
    plan.layout.ensure_identity(service.name, f"{service.name}-migrate")
    environment = {**os.environ, **plan.environment(service, f"{service.name}-migrate")}
    program = str(Path(sys.executable).parent / "grove")
    return subprocess.run([program, *words], env=environment, check=False).returncode


def run_migration(settings: StackSettings, name: str, action: str, message: str) -> int:
    """Run Alembic for a service with a PostgreSQL database; its exit code."""
    service = next((service for service in SERVICES if service.name == name), None)
    if service is None or service.store != "postgres":
        known = ", ".join(service.name for service in SERVICES if service.store == "postgres")
        print(f"{name!r} has no migrations of this kind; these have: {known}. auth has `grove-auth migrate`.")  # noqa: T201
        return 2
    words = ["revision", "--autogenerate", "-m", message] if action == "create" else _ALEMBIC.get(action)
    if words is None or (action == "create" and not message):
        print("Say create (with a message), up, down, history or current.")  # noqa: T201
        return 2
    plan = Plan(settings)
    plan.layout.ensure_identity(service.name, f"{service.name}-migrate")
    environment = {**os.environ, **plan.environment(service, f"{service.name}-migrate")}
    folder = ROOT / "services" / service.name
    return subprocess.run(
        [sys.executable, "-m", "alembic", *words], cwd=folder, env=environment, check=False
    ).returncode


def watch(layout: Layout, console: Console) -> None:
    """Restart processes whose code changed: the supervisor starts again what ends."""
    folders = [ROOT / "shared/src", ROOT / "gateway/src", *(ROOT / "services").glob("*/src")]
    for changes in watch_files(*folders):
        changed = {Path(path) for _, path in changes if path.endswith((".py", ".html", ".js", ".css"))}
        names = affected(changed)
        for process in read_json(layout.suite_file).get("processes", []):
            if process["pid"] and process["name"].startswith(tuple(f"{name}-" for name in names)):
                console.print(f"[yellow]↻[/yellow] {process['name']}")
                os.kill(process["pid"], signal.SIGTERM)
        if daemon.supervisor_pid(layout) is None:
            return


def affected(changed: set[Path]) -> set[str]:
    """The services whose code is among the changed files; a change of `shared` concerns all."""
    names = {service.name for service in SERVICES}
    touched = {part for path in changed for part in path.relative_to(ROOT).parts[:2]}
    return names if "shared" in touched else names & touched
