"""The frame of a picture file, read before any decoder sees it: how large it is, and that nothing else is in it."""

import io
import re
import zipfile
from collections.abc import Callable

from grove_resource.images.rules import MAX_PIXELS, MAX_SIDE, Kind, Unreadable

Size = tuple[int, int]
"""Width and height in pixels."""

MAX_SCANS = 32
"""Of a JPEG, each of which is work on the whole picture; encoders write a dozen at most."""
MAX_PIECES = 4000
"""Segments of a JPEG, or blocks of a GIF before its first frame: the decoder's work on them grows with their square."""
MAX_CHUNKS = 20_000
"""Of a PNG."""
MAX_FILL = 64
"""Bytes before a marker of a JPEG that mean nothing; the decoder reads them one by one."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# A byte more than the tag's name: four bytes alone also turn up by chance in the noise of one large photo in a hundred.
_ACTIVE = re.compile(rb"<(?:script|html|svg)[\s/>]|<\?php\s|%pdf-")
_PACKED = re.compile(rb"PK\x03\x04[\x00-\x3f]\x00|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c")
"""How archives begin. `is_zipfile` looks for the end of one, near the end of the file."""
_SOUND_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment


def check(kind: Kind, data: bytes) -> bytes:
    """The picture alone. Telephones write more behind a JPEG: a movie, another exposure, notes. It is cut off.

    Raises Unreadable for what is cut off, too large, or a picture and something else in one file.
    """
    try:
        size, end = _READERS[kind](data)
    except IndexError:
        raise Unreadable("The picture is not complete.") from None
    if end != len(data) and kind != Kind.JPEG:
        raise Unreadable("There is something behind the end of the picture.")
    check_size(size)
    if _ACTIVE.search(data.lower()) or _PACKED.search(data, end) or zipfile.is_zipfile(io.BytesIO(data)):
        raise Unreadable("There is something else than a picture in the file.")
    return data[:end]


def check_size(size: Size) -> None:
    """Raises Unreadable."""
    width, height = size
    if min(size) < 1 or max(size) > MAX_SIDE or width * height > MAX_PIXELS:
        raise Unreadable(f"A photo may have {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} pixels a side at most.")


def _jpeg(data: bytes) -> tuple[Size, int]:
    size: Size | None = None
    scans, position = 0, 2
    for _ in range(MAX_PIECES):
        marker, position = _marker(data, position)
        if marker == 0xD9:
            return size or (0, 0), position
        if marker in _BARE:
            continue
        body = position + 2
        position += _number(data, position, 2)
        if marker in _FRAMES:
            if size is not None or marker not in _SOUND_FRAMES:
                raise Unreadable("The JPEG is of a kind that is not taken.")
            size = (_number(data, body + 3, 2), _number(data, body + 1, 2))
        elif marker == 0xDA:
            scans += 1
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                raise IndexError
            position = found.start()
        if position < body or scans > MAX_SCANS:
            raise _unsound()
    raise _unsound()


def _marker(data: bytes, position: int) -> tuple[int, int]:
    filled = position
    while data[position] == 0xFF:
        position += 1
    if not 0 < position - filled <= MAX_FILL:
        raise _unsound()
    return data[position], position + 1


def _png(data: bytes) -> tuple[Size, int]:
    if data[12:16] != b"IHDR":
        raise _unsound()
    size = _number(data, 16, 4, "big"), _number(data, 20, 4, "big")
    position = 8
    for _ in range(MAX_CHUNKS):
        name = data[position + 4 : position + 8]
        position += 12 + _number(data, position, 4)
        if name == b"IEND":
            return size, position
    raise _unsound()


def _gif(data: bytes) -> tuple[Size, int]:
    size = _number(data, 6, 2, "little"), _number(data, 8, 2, "little")
    position = 13 + _colours(data[10])
    pieces, first = 0, True
    while (block := data[position]) != 0x3B:
        if block == 0x2C:
            if first:  # it may be larger than the screen, and the decoder follows it
                right = _number(data, position + 1, 2, "little") + _number(data, position + 5, 2, "little")
                bottom = _number(data, position + 3, 2, "little") + _number(data, position + 7, 2, "little")
                size, first = (max(size[0], right), max(size[1], bottom)), False
            position += 11 + _colours(data[position + 9])
        elif block == 0x21:
            position += 2
        else:
            raise _unsound()
        while length := data[position]:
            position += 1 + length
            pieces += first
        position += 1
        if pieces > MAX_PIECES:
            raise _unsound()
    return (0, 0) if first else size, position + 1


def _colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes) -> tuple[Size, int]:
    end = 8 + _number(data, 4, 4, "little")
    size = _webp_size(data)
    position = 12
    while position < end:
        length = _number(data, position + 4, 4, "little")
        position += 8 + length + length % 2
    if position != end or end > len(data):
        raise IndexError
    return size, end


def _webp_size(data: bytes) -> Size:
    name = data[12:16]
    if name == b"VP8X":
        return 1 + _number(data, 24, 3, "little"), 1 + _number(data, 27, 3, "little")
    if name == b"VP8L":
        packed = _number(data, 21, 4, "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if name == b"VP8 ":
        return _number(data, 26, 2, "little") & 0x3FFF, _number(data, 28, 2, "little") & 0x3FFF
    raise _unsound()


def _number(data: bytes, position: int, length: int, order: str = "big") -> int:
    if position + length > len(data):
        raise IndexError
    return int.from_bytes(data[position : position + length], "little" if order == "little" else "big")


def _unsound() -> Unreadable:
    return Unreadable("The picture can't be read.")


_READERS: dict[Kind, Callable[[bytes], tuple[Size, int]]] = {
    Kind.JPEG: _jpeg,
    Kind.PNG: _png,
    Kind.GIF: _gif,
    Kind.WEBP: _webp,
}
