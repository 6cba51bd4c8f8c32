"""`sort=-created_at,title`: only the keys a list names."""

from dataclasses import dataclass

from grove.web.pagination import invalid_query


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order."""

    name: str
    descending: bool

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


def parse_sort(text: str, allowed: frozenset[str]) -> tuple[SortKey, ...]:
    """The keys of `text`. Raises Invalid for an unknown or repeated one."""
    keys = tuple(SortKey(part.strip().removeprefix("-"), part.strip().startswith("-")) for part in text.split(","))
    names = [key.name for key in keys]
    unknown = sorted(set(names) - allowed)
    if unknown:
        raise invalid_query("sort", f"unknown key {unknown[0]!r}; allowed: {', '.join(sorted(allowed))}")
    if len(set(names)) != len(names):
        raise invalid_query("sort", "names a key twice")
    return keys
