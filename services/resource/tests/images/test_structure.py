"""Which files are pictures and nothing else."""

import io
import zipfile

import pytest

from grove_resource.images.rules import Kind, Unreadable
from grove_resource.images.structure import MAX_PIECES, MAX_SCANS, check

NAMES = [
    "baseline.JPEG",
    "progressive.JPEG",
    "grey.JPEG",
    "cmyk.JPEG",
    "restarts.JPEG",
    "comment.JPEG",
    "plain.PNG",
    "alpha.PNG",
    "palette.PNG",
    "bits.PNG",
    "sixteen.PNG",
    "animated.PNG",
    "still.GIF",
    "animated.GIF",
    "lossy.WEBP",
    "lossless.WEBP",
    "alpha.WEBP",
    "animated.WEBP",
    "tiny.PNG",
    "thin.PNG",
]


def kind_of(name: str) -> Kind:
    return Kind(name.rsplit(".", 1)[1])


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("run.sh", "echo")
    return written.getvalue()


def test_every_kind_of_file_is_tried(sound):
    assert sorted(sound) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_sound_files_pass(sound, name):
    check(kind_of(name), sound[name])


@pytest.mark.parametrize("name", NAMES)
def test_cut_off_anywhere_is_refused(sound, name):
    data = sound[name]
    for tenth in range(1, 10):
        with pytest.raises(Unreadable):
            check(kind_of(name), data[: len(data) * tenth // 10])
    for missing in (1, 2, 5):
        with pytest.raises(Unreadable):
            check(kind_of(name), data[:-missing])


@pytest.mark.parametrize("name", [name for name in NAMES if kind_of(name) != Kind.JPEG])
@pytest.mark.parametrize("more", [b"\0", b"\n", b"GIF89a", archive(), b"<?php system($_GET[0]); ?>"])
def test_something_behind_the_end_is_refused(sound, name, more):
    with pytest.raises(Unreadable, match="behind the end"):
        check(kind_of(name), sound[name] + more)


@pytest.mark.parametrize(
    "active", [b"<script>", b"<SCRIPT src=x>", b"<?php ", b"<Html>", b"<svg/onload=x>", b"%PDF-1.7", archive()]
)
def test_something_hidden_inside_is_refused(sound, png, encode, active):
    files = [(Kind.PNG, png(3, 3, (b"tEXt", b"Comment\0" + active)))]
    comment = b"\xff\xfe" + (len(active) + 2).to_bytes(2, "big") + active
    files.append((Kind.JPEG, sound["baseline.JPEG"][:2] + comment + sound["baseline.JPEG"][2:]))
    for kind, data in files:
        with pytest.raises(Unreadable, match="something else than a picture"):
            check(kind, data)


def test_words_that_only_look_alike_pass(png):
    check(Kind.PNG, png(3, 3, (b"tEXt", b"Comment\0<scripture> <svgz <html5 <?phpx PDF-1 <?xpacket begin")))


@pytest.mark.parametrize(
    ("width", "height", "fine"),
    [
        (8000, 5000, True),
        (8000, 5001, False),
        (20_000, 2000, True),
        (20_001, 1, False),
        (1, 20_001, False),
        (0, 5, False),
        (5, 0, False),
        (2**31 - 1, 2**31 - 1, False),
    ],
)
def test_dimensions_are_taken_from_the_header(png, width, height, fine):
    data = png(width, height, rows=b"")
    if fine:
        check(Kind.PNG, data)
    else:
        with pytest.raises(Unreadable, match="megapixels"):
            check(Kind.PNG, data)


def test_dimensions_of_the_other_kinds(sound):
    jpeg = bytearray(sound["baseline.JPEG"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    gif = bytearray(sound["still.GIF"])
    gif[6:10] = b"\xff\xff\xff\xff"
    larger_frame = bytearray(sound["still.GIF"])
    frame = larger_frame.index(b"\x2c\0\0\0\0")
    larger_frame[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    extended = bytearray(sound["alpha.WEBP"])
    extended[24:30] = b"\xff" * 6
    for kind, data in ((Kind.JPEG, jpeg), (Kind.GIF, gif), (Kind.GIF, larger_frame), (Kind.WEBP, extended)):
        with pytest.raises(Unreadable, match="megapixels"):
            check(kind, bytes(data))


def test_work_without_end_is_refused(sound):
    progressive = sound["progressive.JPEG"]
    last = progressive.rindex(b"\xff\xda")
    scans = progressive[:last] + progressive[last:-2] * MAX_SCANS + b"\xff\xd9"
    baseline = sound["baseline.JPEG"]
    segments = baseline[:2] + b"\xff\xfe\0\x02" * MAX_PIECES + baseline[2:]
    filled = baseline[:2] + b"\xff" * 1000 + baseline[2:]
    gif = sound["still.GIF"]
    blocks = gif[:-1].replace(b"\x21\xfe", b"\x21\xfe" + b"\x01a" * (MAX_PIECES + 1), 1) + gif[-1:]
    lossless = bytearray(baseline)
    lossless[baseline.index(b"\xff\xc0") + 1] = 0xC3
    twice = baseline[:2] + baseline[baseline.index(b"\xff\xc0") :][:19] + baseline[2:]
    files = [(Kind.JPEG, each) for each in (scans, segments, filled, bytes(lossless), twice)]
    for kind, data in [*files, (Kind.GIF, blocks)]:
        with pytest.raises(Unreadable, match=r"can't be read|not taken"):
            check(kind, data)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBP", b"RIFF\xff\xff\xff\xffWEBPVP8 "]
)
def test_a_beginning_alone_is_refused(kind, start):
    for data in (start, start + bytes(40), start + b"\xff" * 40):
        with pytest.raises(Unreadable):
            check(kind, data)
