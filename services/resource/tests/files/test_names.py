"""Names of files, cleaned and quoted."""

import re
import unicodedata
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from grove_resource.files.names import MAX_LENGTH, attachment_disposition, clean_name

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)  # lone surrogates too


@given(ANY_TEXT)
def test_a_clean_name_is_one_and_stays_as_it_is(name):
    clean = clean_name(name)
    assert 1 <= len(clean) <= MAX_LENGTH
    assert not re.search(r"[/\\\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", clean)
    assert clean.strip(". ")
    assert clean_name(clean) == clean or unicodedata.normalize("NFC", clean) != clean
    assert clean.encode()


@given(ANY_TEXT)
def test_no_name_gets_out_of_its_header(name):
    clean = clean_name(name)
    header = attachment_disposition(clean)
    found = re.fullmatch(
        r"attachment; filename=\"([ !#$&-\[\]-~]*)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)", header
    )
    assert found, header
    assert unquote(found[2], errors="strict") == clean
    assert len(found[1]) == len(clean)


def test_a_long_name_keeps_its_suffix():
    assert clean_name("x" * 300 + ".jpeg") == "x" * 250 + ".jpeg"
    assert clean_name("x." + "y" * 300) == "x." + "y" * 253
    assert clean_name("." + "y" * 300) == "." + "y" * 254
