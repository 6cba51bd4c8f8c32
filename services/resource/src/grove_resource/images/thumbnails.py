"""A picture → small squares of it, and nothing else that was in its file."""

import io
import warnings
from contextlib import suppress

from PIL import Image, ImageCms

from grove_resource.images.rules import MAX_PIXELS, SIZES, Kind
from grove_resource.images.structure import check, check_size

BASE = 2 * max(SIZES)
"""The square that the others are made of has this side or a bit more, unless the picture is smaller."""
QUALITY = 82
_STRIP_ROWS = 256
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


def thumbnails(kind: Kind, data: bytes) -> list[bytes]:
    """A WebP for each of SIZES. Raises Unreadable, and what a decoder raises about a hostile file."""
    with Image.open(io.BytesIO(check(kind, data)), formats=[kind]) as image:
        check_size(image.size)
        image.draft(None, (BASE, BASE))  # a JPEG is decoded at an eighth of its size where that is enough
        image.load()
        square = _square(image)
        turn = _TURNS.get(_orientation(image))
        profile: bytes | None = image.info.get("icc_profile")
    if turn is not None:
        square = square.transpose(turn)
    square = _in_srgb(square, profile)
    return [_webp(square, size) for size in SIZES]


def _square(image: Image.Image) -> Image.Image:
    """The middle of it, reduced by a whole number. In strips: a copy of a large picture takes as much memory again."""
    mode = _working_mode(image)
    factor = max(1, min(image.size) // BASE)
    side = min(image.size) // factor
    used = side * factor
    left, top = ((length - used) // 2 for length in image.size)
    square = Image.new("RGBa" if mode == "RGBA" else mode, (side, side))
    rows = max(1, _STRIP_ROWS // factor)
    for row in range(0, side, rows):
        end = min(side, row + rows)
        strip = image.crop((left, top + row * factor, left + used, top + end * factor))
        square.paste(_converted(strip, mode).reduce(factor), (0, row))
    return square.convert("RGBA") if mode == "RGBA" else square


def _working_mode(image: Image.Image) -> str:
    if image.mode == "CMYK":
        return "CMYK"  # its profile, if it has one, knows how to make RGB of it
    if image.has_transparency_data and not image.mode.startswith("I"):
        return "RGBA"
    return "L" if image.mode in {"1", "L"} or image.mode.startswith("I") else "RGB"


def _converted(strip: Image.Image, mode: str) -> Image.Image:
    if strip.mode.startswith("I"):  # 16 bits of grey; its own conversion cuts off instead of scaling
        strip = strip.convert("I").point(lambda level: level / 256).convert("L")
    strip = strip.convert(mode)
    return strip.convert("RGBa") if mode == "RGBA" else strip  # so that what can't be seen gives no colour away


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # whatever is wrong with it: a picture without it is a picture
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError):  # a broken profile, or one of another kind of picture
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=mode
            )
            if converted is not None:
                image = converted
    return image.convert(mode)


def _webp(square: Image.Image, size: int) -> bytes:
    small = square.resize((size, size), Image.Resampling.LANCZOS)
    small.info = {}
    written = io.BytesIO()
    small.save(written, "WEBP", quality=QUALITY, method=4)
    return written.getvalue()
