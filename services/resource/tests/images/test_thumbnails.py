"""What is made of a picture."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from grove_resource.images.rules import Kind, Unreadable
from grove_resource.images.thumbnails import thumbnails

ORIENTATION = 0x0112
SIDES = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}
"""Orientation → where the left side of the stored picture is shown."""


def near(pixel, expected, tolerance: int = 12) -> bool:
    return all(abs(ours - wanted) <= tolerance for ours, wanted in zip(pixel, expected, strict=True))


def test_every_sound_file_becomes_three_squares(sound, made):
    for name, data in sound.items():
        squares = made(name.rsplit(".", 1)[1], data)
        assert [(square.format, square.size) for square in squares] == [
            ("WEBP", (64, 64)),
            ("WEBP", (256, 256)),
            ("WEBP", (512, 512)),
        ], name


def test_place_camera_and_words_are_gone(encode, made):
    exif = Image.Exif()
    exif[0x0110] = "CameraModel-1234"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.new("RGB", (300, 200), (10, 200, 30))
    said = {"exif": exif, "icc_profile": profile, "xmp": b"<x:xmpmeta>secret-words</x:xmpmeta>"}
    for kind, options in (
        ("JPEG", said | {"comment": b"secret-words"}),
        ("WEBP", said),
        ("PNG", {"exif": exif, "icc_profile": profile}),
    ):
        data = encode(picture, kind, **options)
        assert Image.open(io.BytesIO(data)).getexif().get_ifd(0x8825)
        for square in made(kind, data):
            assert not square.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(square.info)
        for small in thumbnails(Kind(kind), data):
            assert not any(word in small for word in (b"Camera", b"secret", b"EXIF", b"XMP ", b"ICCP"))


@pytest.mark.parametrize("orientation", list(SIDES))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_is_shown_upright(encode, made, kind, orientation):
    picture = Image.new("RGB", (120, 120), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 60, 120))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    shown = made(kind, encode(picture, kind, exif=exif))[2].convert("RGB")
    points = {"left": (60, 256), "right": (450, 256), "top": (256, 60), "bottom": (256, 450)}
    assert near(shown.getpixel(points[SIDES[orientation]]), (255, 0, 0), 20)


def test_a_mirrored_corner_is_where_it_belongs(encode, made):
    picture = Image.new("RGB", (120, 120), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 60, 60))
    corners = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    for orientation, (right, below) in corners.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        shown = made("PNG", encode(picture, "PNG", exif=exif))[2].convert("RGB")
        assert near(shown.getpixel((60 + 390 * right, 60 + 390 * below)), (255, 0, 0), 20)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_passed_over(encode, made):
    data = encode(Image.new("RGB", (20, 20), (9, 9, 9)), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert made("JPEG", data)[0].size == (64, 64)


@pytest.mark.parametrize("size", [(3000, 1000), (1000, 3000), (90, 30)])
def test_the_middle_is_shown(encode, made, size):
    picture = Image.new("RGB", size, (0, 0, 255))
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    picture.paste((255, 0, 0), (left, top, left + side, top + side))
    shown = made("PNG", encode(picture, "PNG"))[2].convert("RGB")
    for point in ((8, 8), (504, 8), (8, 504), (504, 504)):
        assert near(shown.getpixel(point), (255, 0, 0), 25)


def test_colours_of_each_mode(encode, made):
    wanted = (200, 100, 50)
    cases = {
        "JPEG": [Image.new("RGB", (1500, 1500), wanted), Image.new("RGB", (1500, 1500), wanted).convert("CMYK")],
        "PNG": [Image.new("RGB", (60, 60), wanted), Image.new("RGB", (60, 60), wanted).quantize(4)],
        "GIF": [Image.new("RGB", (60, 60), wanted).quantize(4)],
        "WEBP": [Image.new("RGB", (60, 60), wanted)],
    }
    for kind, pictures in cases.items():
        for picture in pictures:
            assert near(made(kind, encode(picture, kind))[1].convert("RGB").getpixel((9, 9)), wanted, 16), picture.mode
    sixteen = made("PNG", encode(Image.new("I;16", (60, 60), 40_000), "PNG"))[1].convert("RGB")
    assert near(sixteen.getpixel((9, 9)), (156, 156, 156), 4)
    grey = made("JPEG", encode(Image.new("L", (60, 60), 77), "JPEG"))[1].convert("RGB")
    assert near(grey.getpixel((9, 9)), (77, 77, 77), 4)


def test_another_colour_space_becomes_srgb(encode, made):
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = usual.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    for mode, kind in (("RGB", "JPEG"), ("RGBA", "PNG")):
        picture = Image.new(mode, (60, 60), (220, 20, 20) if mode == "RGB" else (220, 20, 20, 255))
        shown = made(kind, encode(picture, kind, icc_profile=exchanged))[1].convert("RGB")
        assert near(shown.getpixel((9, 9)), (20, 220, 20), 16)
        shown = made(kind, encode(picture, kind, icc_profile=usual))[1].convert("RGB")
        assert near(shown.getpixel((9, 9)), (220, 20, 20), 16)


def test_a_profile_of_another_kind_or_broken_is_passed_over(encode, made):
    good = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind, mode, profile in (("JPEG", "CMYK", good), ("PNG", "L", good), ("PNG", "RGB", b"x" * 200)):
        assert made(kind, encode(Image.new(mode, (60, 60)), kind, icc_profile=profile))[0].size == (64, 64)


def test_what_can_be_seen_through_stays_so(encode, made):
    half = Image.new("RGBA", (2100, 2100), (255, 255, 255, 0))
    half.paste((200, 0, 0, 255), (0, 0, 1050, 2100))
    palette = Image.new("P", (60, 60), 1)
    palette.putpalette([0, 255, 0, 200, 0, 0] + [0] * 750)
    palette.paste(0, (30, 0, 60, 60))
    keyed = encode(Image.new("RGB", (60, 60), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    for data in (encode(half, "PNG"), encode(palette, "PNG", transparency=0)):
        shown = made("PNG", data)[2].convert("RGBA")
        assert shown.getpixel((20, 256))[3] == 255
        assert near(shown.getpixel((20, 256))[:3], (200, 0, 0))
        assert shown.getpixel((490, 256))[3] == 0
    assert made("PNG", keyed)[2].convert("RGBA").getpixel((9, 9))[3] == 0
    assert made("WEBP", encode(half, "WEBP"))[2].convert("RGBA").getpixel((490, 256))[3] == 0


def test_of_an_animation_the_first_frame(encode, made):
    frames = [Image.new("RGB", (50, 50), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=20)
        square = made(kind, data)[2]
        assert getattr(square, "n_frames", 1) == 1
        assert near(square.convert("RGB").getpixel((256, 256)), (255, 0, 0), 20)


@pytest.mark.filterwarnings("ignore")
def test_bytes_turned_over_are_refused_or_still_a_picture(sound):
    """Some bytes of each file, one at a time; whatever a decoder makes of it, it is one of the two."""
    outcomes = set()
    for name, data in sound.items():
        for place in range(0, len(data), max(1, len(data) // 7)):
            broken = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            try:
                outcomes.add(len(thumbnails(Kind(name.rsplit(".", 1)[1]), broken)))
            except Unreadable:
                outcomes.add("refused")
            except (OSError, SyntaxError, ValueError, EOFError, struct.error):
                outcomes.add("refused by the decoder")
    assert outcomes == {3, "refused", "refused by the decoder"}
