"""Addresses → places, by a database in MaxMind's format that the operator may give."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import maxminddb
import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as the database knows. `country`: ISO 3166-1; `city`: its English name."""

    city: str | None = None
    country: str | None = None

    def __str__(self) -> str:
        return ", ".join(part for part in (self.city, self.country) if part)


NOWHERE = Place()


class GeoDatabase:
    """Looks addresses up in a memory-mapped file, which is opened again when another one took its place."""

    def __init__(self, path: Path | None) -> None:
        """Without a path, or while the file can't be read, no place is known."""
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._opened: tuple[int, int, int] | None = None

    def place(self, address: str | None) -> Place:
        """Where the address is."""
        if self._path is None or not address:
            return NOWHERE
        self._follow(self._path)
        if self._reader is None:
            return NOWHERE
        try:
            return _place(self._reader.get(ipaddress.ip_address(address)))
        except (ValueError, maxminddb.InvalidDatabaseError) as error:  # an IPv6 address and an IPv4 database, damage
            log.warning("geoip.unreadable", error=str(error))
            return NOWHERE

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._opened = None

    def _follow(self, path: Path) -> None:
        try:
            found = path.stat()
        except OSError:
            found = None
        state = (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
        if state == self._opened:
            return
        self.close()
        self._opened = state
        try:
            self._reader = maxminddb.open_database(path) if found else None
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            log.warning("geoip.unreadable", error=str(error))


def _place(record: Any) -> Place:
    """The place of a City or Country record; anything else has none."""
    if not isinstance(record, dict):
        return NOWHERE
    country, city = record.get("country"), record.get("city")
    code = country.get("iso_code") if isinstance(country, dict) else None
    names = city.get("names") if isinstance(city, dict) else None
    name = names.get("en") if isinstance(names, dict) else None
    return Place(
        city=name if isinstance(name, str) else None,
        country=code if isinstance(code, str) else None,
    )
