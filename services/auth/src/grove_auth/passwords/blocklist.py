"""Passwords that nobody may choose: thirty thousand of the most used, and the operator's own."""

import unicodedata
from functools import cache
from pathlib import Path

import structlog
from zxcvbn.frequency_lists import FREQUENCY_LISTS

log = structlog.get_logger()

MAX_BYTES = 8 * 1024 * 1024


def folded(password: str) -> str:
    """Passwords that differ in nothing but capitals and composition are the same here."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", password).casefold())


def is_listed(password: str, own: Path | None) -> bool:
    """Whether the password as a whole is on the bundled list, or on the operator's (one a line)."""
    text = folded(password)
    return text in _bundled() or (own is not None and text in _own(own).words())


@cache
def _bundled() -> frozenset[str]:
    return frozenset(folded(word) for word in FREQUENCY_LISTS["passwords"])


@cache
def _own(path: Path) -> "_OwnList":
    return _OwnList(path)


class _OwnList:
    """The operator's list, in memory; the file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._words: frozenset[str] = frozenset()

    def words(self) -> frozenset[str]:
        """Its passwords. A file that can't be used leaves the list as it was."""
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._seen = seen
                self._words = self._read(status.st_size)
        except (OSError, ValueError) as error:
            log.error("blocklist.unusable", reason=str(error))
        return self._words

    def _read(self, size: int) -> frozenset[str]:
        if size > MAX_BYTES:
            raise ValueError(f"PASSWORD_BLOCKLIST_FILE has more than {MAX_BYTES} bytes. Keep the most used ones.")
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return frozenset(folded(line) for line in lines if line)
