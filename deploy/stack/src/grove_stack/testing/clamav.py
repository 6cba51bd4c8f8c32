"""ClamAV's daemon for tests: a process of our own that knows one signature, in a folder of its own."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from grove_stack.preflight import install_scanner, scanner

SIGNATURE = "Grove-Test-Signature"
MALWARE = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
"""The file that every scanner takes for malware and that is none. In two parts, so that this file is not taken too."""
_START_SECONDS = 60


class Clamav:
    """A daemon on a Unix socket. Its folder's path is short: a socket's has 107 characters at most."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clam-", dir="/tmp"))
        self.socket = self.folder / "clamd.sock"
        self._process: subprocess.Popen[bytes] | None = None
        database = self.folder / "database"
        database.mkdir()
        (database / "test.ndb").write_text(f"{SIGNATURE}:0:*:{MALWARE.hex()}\n")
        (self.folder / "clamd.conf").write_text(
            f"Foreground yes\nLocalSocket {self.socket}\nFixStaleSocket yes\nDatabaseDirectory {database}\n"
            f"PidFile {self.folder / 'clamd.pid'}\nTemporaryDirectory {self.folder}\nStreamMaxLength 12M\n"
        )

    @staticmethod
    def missing() -> str | None:
        """Install it if it is missing; a sentence when that can't be done."""
        return install_scanner()

    def start(self) -> None:
        """Return when it answers. Raises RuntimeError with its log."""
        log = self.folder / "log"
        with log.open("ab") as output:
            command = [str(scanner()), f"--config-file={self.folder / 'clamd.conf'}"]
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_SECONDS
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"clamd did not start:\n{log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it, as a lost machine would be."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop, and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
