"""Envelopes: open for their purpose and ring only, and rotate without touching what they protect."""

import pytest

from grove.security.encryption import DecryptionFailed, FieldCipher, new_key
from grove.security.envelopes import EnvelopeCipher

OLD, NEW = new_key("v1"), new_key("v2")


def cipher(*keys: str) -> EnvelopeCipher:
    return EnvelopeCipher(FieldCipher(lambda: "\n".join(keys)))


def test_what_is_sealed_opens_and_never_looks_the_same_twice():
    one, two = (cipher(OLD).seal("token", purpose="a") for _ in range(2))
    assert one != two
    assert "token" not in one
    assert cipher(OLD).open(one, purpose="a") == cipher(OLD).open(two, purpose="a") == "token"


@pytest.mark.parametrize("keys", [(NEW,), (new_key("v1"),)])
def test_another_ring_opens_nothing(keys):
    sealed = cipher(OLD).seal("token", purpose="a")
    with pytest.raises(DecryptionFailed):
        cipher(*keys).open(sealed, purpose="a")
    with pytest.raises(DecryptionFailed):
        cipher(*keys).rewrap(sealed, purpose="a")


def test_another_purpose_opens_nothing():
    sealed = cipher(OLD).seal("token", purpose="a")
    with pytest.raises(DecryptionFailed):
        cipher(OLD).open(sealed, purpose="b")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_of_another_value_opens_nothing(part):
    mine, other = (cipher(OLD, NEW).seal(text, purpose="a").split(".") for text in ("mine", "other"))
    mine[part] = "v2" if part == 0 else other[part]
    with pytest.raises(DecryptionFailed):
        cipher(OLD, NEW).open(".".join(mine), purpose="a")


@pytest.mark.parametrize("sealed", ["", "v1", "v1.", "v1..", "v1.AAAA.AAAA", "v1.é.é", "...."])
def test_what_was_never_sealed_opens_nothing(sealed):
    with pytest.raises(DecryptionFailed):
        cipher(OLD).open(sealed, purpose="a")


def test_a_rotation_seals_the_data_key_anew_and_leaves_the_value():
    sealed = cipher(OLD).seal("token", purpose="a")
    assert cipher(OLD).is_current(sealed)
    assert not cipher(NEW, OLD).is_current(sealed)
    fresh = cipher(NEW, OLD).rewrap(sealed, purpose="a")
    assert cipher(NEW, OLD).is_current(fresh)
    assert fresh.split(".")[2] == sealed.split(".")[2]
    assert cipher(NEW).open(fresh, purpose="a") == "token"


def test_a_value_from_before_envelopes_opens_and_gets_one():
    sealed = FieldCipher(lambda: OLD).seal("token", purpose="a")
    assert cipher(OLD).open(sealed, purpose="a") == "token"
    assert not cipher(OLD).is_current(sealed)
    fresh = cipher(OLD).rewrap(sealed, purpose="a")
    assert cipher(OLD).is_current(fresh)
    assert cipher(OLD).open(fresh, purpose="a") == "token"
