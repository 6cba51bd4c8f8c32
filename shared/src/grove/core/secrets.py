"""Secrets as files: one file each in SECRETS_DIR, re-read when it changes."""

from pathlib import Path


class SecretMissing(Exception):
    """A secret file is missing or empty."""


class Secrets:
    """Reads secret files; a changed file is seen at the next read, without a restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cache: dict[str, tuple[int, str]] = {}

    def read(self, name: str) -> str:
        """The secret's text without surrounding white space. Raises SecretMissing."""
        path = self.directory / name
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            raise SecretMissing(
                f"The secret file {name!r} is missing in SECRETS_DIR ({self.directory}). Create it, mode 0400."
            ) from None
        cached = self._cache.get(name)
        if cached is None or cached[0] != changed:
            cached = (changed, path.read_text(encoding="utf-8").strip())
            self._cache[name] = cached
        if not cached[1]:
            raise SecretMissing(f"The secret file {name!r} in {self.directory} is empty.")
        return cached[1]
