import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from grove.core.text import Line, Text

line, text = TypeAdapter(Line), TypeAdapter(Text)


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
