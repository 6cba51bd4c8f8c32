"""Names of profiles: when two are the same, and which one somebody gets whose name is taken."""

import hashlib
import unicodedata
from collections.abc import Awaitable, Callable
from uuid import UUID

from grove.core.text import clean_line

MIN_LENGTH, MAX_LENGTH = 2, 100
_KEY_LENGTH = 300
_FIRST = range(2, 34)
_GALLOP = [2**power for power in range(6, 31)]
_PROBES = 32
# Unicode's Default_Ignorable_Code_Points that are not of the category Cf, and the empty pattern of Braille.
_UNSEEN = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x2800, 0x3164, 0xFFA0}
    | {*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)}
)

Taken = Callable[[list[str]], Awaitable[set[str]]]
"""Which of some keys are names already."""


def name_key(name: str) -> str:
    """What two names have in common that are the same for people: without case, width, spacing and invisible parts."""
    # First, since one between a letter and its accent keeps the two apart.
    visible = "".join(char for char in name if unicodedata.category(char) != "Cf" and ord(char) not in _UNSEEN)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    key = " ".join(folded.split())
    return key if len(key) <= _KEY_LENGTH else "#" + hashlib.sha256(key.encode()).hexdigest()


def made_up(user_id: UUID) -> str:
    """A name for somebody of whom no other is known."""
    return f"user-{user_id.hex[-8:]}"


def usable(name: str, user_id: UUID) -> str:
    """The name an account was registered with, or a made-up one when it can't be a profile's."""
    try:
        name = clean_line(name).strip()[:MAX_LENGTH].strip()
    except ValueError:
        return made_up(user_id)
    return name if len(name) >= MIN_LENGTH and name_key(name) else made_up(user_id)


def numbered(name: str, number: int) -> str:
    """`name-number`, within the length of a name."""
    suffix = f"-{number}"
    return name[: MAX_LENGTH - len(suffix)].rstrip() + suffix


async def free_name(name: str, taken: Taken) -> str:
    """The name with a number, from -2, that nobody had when it was looked for.

    A handful of questions, of a few dozen keys each, however many have the name: after the first numbers it looks at
    powers of two, and then between the last one taken and the first one free.
    """

    async def first_free(numbers: list[int]) -> int | None:
        keys = {number: name_key(numbered(name, number)) for number in numbers}
        gone = await taken(list(keys.values()))
        return next((number for number in numbers if keys[number] not in gone), None)

    number = await first_free(list(_FIRST))
    if number is not None:
        return numbered(name, number)
    high = await first_free(_GALLOP) or 2 * _GALLOP[-1]
    low = max(_FIRST[-1], high // 2 if high > _GALLOP[0] else 0)
    while high - low > 1:
        step = max(1, (high - low) // _PROBES)
        between = list(range(low + step, high, step))
        number = await first_free(between)
        if number is None:
            low = between[-1]
        else:
            low, high = number - step, number
    return numbered(name, high)
