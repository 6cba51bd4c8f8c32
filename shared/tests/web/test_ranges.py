"""One range of bytes, of all that clients may write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grove.web.ranges import ByteRange, RangeNotSatisfiable, asked_range

TAG = '"t"'


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=4-", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=9-9", (9, 10)),
        ("bytes=0-99", (0, 10)),
        ("bytes= 1-2 ", (1, 3)),
        ("BYTES=1-2", (1, 3)),
        (None, None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes= - ", None),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=\u0661-2", None),
        ("bytes=" + "1" * 19 + "-", None),
    ],
)
def test_what_is_asked_for(wanted, part):
    found = asked_range(wanted, None, tag=TAG, size=10)
    assert found == (ByteRange(*part, 10) if part else None)


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=999999999999999999-"])
def test_nothing_of_it_is_there(wanted):
    with pytest.raises(RangeNotSatisfiable) as refused:
        asked_range(wanted, None, tag=TAG, size=10)
    assert refused.value.headers == {"Content-Range": "bytes */10"}


@pytest.mark.parametrize("if_range", ['W/"t"', '"other"', "Wed, 21 Oct 2026 07:28:00 GMT", "*", ""])
def test_another_version_is_sent_whole(if_range):
    assert asked_range("bytes=0-1", if_range, tag=TAG, size=10) is None
    assert asked_range("bytes=10-", if_range, tag=TAG, size=10) is None
    assert asked_range("bytes=0-1", TAG, tag=TAG, size=10) == ByteRange(0, 2, 10)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\Abytes=\d{0,20}-\d{0,20}\Z")), st.integers(1, 10**12))
def test_a_part_is_always_within_the_whole(wanted, size):
    try:
        found = asked_range(wanted, None, tag=TAG, size=size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= size
