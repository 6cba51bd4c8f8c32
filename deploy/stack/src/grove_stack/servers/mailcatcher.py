"""A mail server that keeps what it gets in a Maildir, which tests and people read."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from grove_stack.process import ProcessSpec


def spec(mail_dir: Path, port: int) -> ProcessSpec:
    """The process."""

    async def probe() -> str | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            return str(error)
        writer.close()
        return None

    return ProcessSpec(
        name="mailcatcher",
        command=[sys.executable, "-m", "grove_stack.servers.mailcatcher", str(mail_dir), str(port)],
        probe=probe,
        address=f"127.0.0.1:{port}",
        stop_seconds=5,
    )


def main() -> None:
    """Catch mail until stopped."""
    mail_dir, port = Path(sys.argv[1]), int(sys.argv[2])
    mail_dir.parent.mkdir(parents=True, exist_ok=True)
    controller = Controller(Mailbox(mail_dir), hostname="127.0.0.1", port=port, server_hostname=socket.gethostname())
    controller.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
