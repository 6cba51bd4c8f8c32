"""What API keys look like."""

import re

from hypothesis import given
from hypothesis import strategies as st

from grove.security.api_keys import HINT_CHARS, LENGTH, PREFIX, hint_of, is_api_key, new_secret, well_formed


def test_a_key_can_be_told_by_scanners():
    secrets = {new_secret() for _ in range(200)}
    assert len(secrets) == 200
    for secret in secrets:
        assert re.fullmatch(r"grv_[0-9A-Za-z]{49}", secret)
        assert len(secret) == LENGTH
        assert is_api_key(secret)
        assert well_formed(secret)
        assert hint_of(secret) == secret[:HINT_CHARS]


SECRET = new_secret()
"""Made once: what is drawn depends on it, and must be the same when it is drawn again."""


@given(st.data())
def test_a_mistyped_key_is_told_without_asking(data):
    secret = SECRET
    position = data.draw(st.integers(len(PREFIX), LENGTH - 1))
    letter = data.draw(st.sampled_from("abcXYZ019").filter(lambda letter: letter != secret[position]))
    assert not well_formed(secret[:position] + letter + secret[position + 1 :])


@given(st.text())
def test_nothing_else_is_well_formed(text):
    for candidate in (text, PREFIX + text, (PREFIX + text).ljust(LENGTH, "0")):
        assert isinstance(well_formed(candidate), bool)
    assert not well_formed(PREFIX + "é" * (LENGTH - len(PREFIX)))
