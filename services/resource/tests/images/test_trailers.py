"""JPEGs as telephones write them: with more behind the end of the picture. None of it gets any further."""

import io
import zipfile

import pytest
from PIL import Image

from grove_resource.images.rules import Kind, Unreadable
from grove_resource.images.structure import check

JPEGS = ["baseline.JPEG", "progressive.JPEG", "grey.JPEG", "cmyk.JPEG", "restarts.JPEG", "comment.JPEG"]
MOVIE = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(range(256)) * 40
SAMSUNG = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFH" + bytes(24) + b"SEFT"


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("run.sh", "echo")
    return written.getvalue()


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("more", [b"\0", b"\n", bytes(5000), MOVIE, SAMSUNG, b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_what_is_behind_a_photo_is_cut_off(sound, made, name, more):
    assert check(Kind.JPEG, sound[name] + more) == sound[name]
    plain, trailed = (made("JPEG", data) for data in (sound[name], sound[name] + more))
    assert [image.tobytes() for image in plain] == [image.tobytes() for image in trailed]


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize(
    "more",
    [
        archive(),
        archive() + bytes(100_000),  # no zip to who looks for its end, but to who reads it from its start
        MOVIE + archive(),
        b"Rar!\x1a\x07\x01\0",
        b"7z\xbc\xaf\x27\x1c\0\x04",
        b"<?php system($_GET[0]); ?>",
        MOVIE + b"<script>alert(1)</script>",
        b"<html>",
        b"<svg onload=x>",
        b"%PDF-1.7",
    ],
)
def test_what_could_run_or_be_unpacked_is_refused(sound, name, more):
    with pytest.raises(Unreadable, match="something else than a picture"):
        check(Kind.JPEG, sound[name] + more)


def test_of_several_pictures_in_one_file_the_first_is_taken(encode, made):
    red, blue = (Image.new("RGB", (90, 60), colour) for colour in ((200, 20, 20), (20, 20, 200)))
    several = encode(red, "MPO", save_all=True, append_images=[blue])
    assert several.count(b"\xff\xd8\xff") == 2
    for image in made("JPEG", several):
        assert image.getpixel((5, 5))[0] > 180


def test_what_is_behind_does_not_complete_a_photo(sound):
    cut = sound["baseline.JPEG"][:-200]
    with pytest.raises(Unreadable):
        check(Kind.JPEG, cut + MOVIE)
