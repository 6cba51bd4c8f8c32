"""A look at CBOR (RFC 8949) before it is decoded.

Authenticators write a narrow part of it: definite lengths, little nesting, no tags. Tags are where the danger is: by
shared references a few hundred bytes become gigabytes when they are written out again, which the WebAuthn library does.
"""

MAX_DEPTH = 8
_TEXT_OR_BYTES, _LISTS, _TAG = (2, 3), (4, 5), 6


def check_plain(data: bytes) -> None:
    """Raises ValueError unless `data` is a row of whole items without tags, open lengths and deep nesting."""
    at = 0
    while at < len(data):
        at = _after(data, at, 0)


def _after(data: bytes, at: int, depth: int) -> int:
    """Where the item that begins at `at` ends."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    kind, short = data[at] >> 5, data[at] & 0x1F
    at += 1
    if kind == _TAG or short > 27:
        raise ValueError("tags and open lengths are not taken")
    size = 1 << (short - 24) if short > 23 else 0
    argument = int.from_bytes(data[at : at + size], "big") if size else short
    at += size
    if kind in _TEXT_OR_BYTES:
        at += argument
    elif kind in _LISTS:
        for _ in range(argument * (kind - 3)):
            if at >= len(data):
                raise ValueError("cut off")
            at = _after(data, at, depth + 1)
    if at > len(data):
        raise ValueError("cut off")
    return at
