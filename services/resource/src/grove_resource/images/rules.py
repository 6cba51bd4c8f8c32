"""Which pictures are taken."""

from enum import StrEnum
from pathlib import PurePath

from grove.core.errors import UnsupportedMedia

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_SIDE = 20_000
SIZES = (64, 256, 512)
"""Sides of the squares that are made of a picture, in pixels."""
HEAD_BYTES = 16
"""How much of a file `kind_of` wants to see."""


class Unreadable(ValueError):
    """The file is not a sound picture within the limits; the text may be shown."""


class Kind(StrEnum):
    """A format, by the decoder's name for it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    GIF = "GIF"


_BY_EXTENSION = {
    ".jpg": Kind.JPEG,
    ".jpeg": Kind.JPEG,
    ".png": Kind.PNG,
    ".webp": Kind.WEBP,
    ".gif": Kind.GIF,
}
_BY_TYPE = {
    "image/jpeg": Kind.JPEG,
    "image/png": Kind.PNG,
    "image/webp": Kind.WEBP,
    "image/gif": Kind.GIF,
}


def kind_of(name: str, content_type: str, head: bytes) -> Kind:
    """What the file is, when its name, its declared type and its first bytes agree. Raises UnsupportedMedia."""
    kind = _by_content(head)
    declared = _BY_TYPE.get(content_type.partition(";")[0].strip().lower())
    if kind is None or not kind == declared == _BY_EXTENSION.get(PurePath(name).suffix.lower()):
        raise UnsupportedMedia(
            "A photo is a JPEG, PNG, WebP or GIF, and its name, its declared type and its content say the same."
        )
    return kind


def _by_content(head: bytes) -> Kind | None:
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    return Kind.WEBP if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None
