from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from grove.core.text import CleanLine, CleanText

line = TypeAdapter(Annotated[str, StringConstraints(strip_whitespace=True, max_length=20), CleanLine])
text = TypeAdapter(Annotated[str, CleanText])


def test_names_are_normalised_and_stripped():
    assert line.validate_python("  Ame\u0301lie ") == "Am\u00e9lie"


@pytest.mark.parametrize("bad", ["a\x00b", "a\u202eb", "a\u2066b", "a\nb", "a\u2028b", "a\x1b[0m"])
def test_control_and_direction_characters_are_refused_in_a_line(bad):
    with pytest.raises(ValidationError):
        line.validate_python(bad)


def test_text_may_have_lines_but_no_direction_characters():
    assert text.validate_python("one\n\ttwo") == "one\n\ttwo"
    with pytest.raises(ValidationError):
        text.validate_python("one\n\u202etwo")


@given(st.text())
def test_whatever_is_accepted_is_clean_when_checked_again(candidate):
    try:
        accepted = line.validate_python(candidate)
    except ValidationError:
        return
    assert line.validate_python(accepted) == accepted


def test_length_counts_after_normalising():
    assert line.validate_python("\u00e9" * 20) == "\u00e9" * 20
    with pytest.raises(ValidationError, match="at most 20 characters"):
        line.validate_python("\u0958" * 11)  # each becomes two in NFC
    with pytest.raises(ValidationError):
        line.validate_python(7)
