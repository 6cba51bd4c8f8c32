import pytest

from grove.security.encryption import DecryptionFailed, FieldCipher, new_key


def test_what_is_sealed_opens_with_its_purpose_only():
    ring = new_key("v1")
    cipher = FieldCipher(lambda: ring)
    sealed = cipher.seal("secret", purpose="mail:1")
    assert "secret" not in sealed
    assert cipher.open(sealed, purpose="mail:1") == "secret"
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed, purpose="mail:2")
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed[:-6] + "AAAA==", purpose="mail:1")


def test_keys_rotate_without_downtime():
    old = new_key("v1")
    ring = old
    cipher = FieldCipher(lambda: ring)
    sealed = cipher.seal("secret", purpose="p")
    ring = f"{new_key('v2')}\n{old}"
    assert cipher.open(sealed, purpose="p") == "secret"
    assert not cipher.is_current(sealed)
    assert cipher.is_current(cipher.seal("secret", purpose="p"))
    ring = new_key("v3")
    with pytest.raises(DecryptionFailed, match="v1"):
        cipher.open(sealed, purpose="p")


def test_another_key_of_the_same_name_and_a_short_key_are_refused():
    ring = new_key("v1")
    sealed = FieldCipher(lambda: ring).seal("secret", purpose="p")
    with pytest.raises(DecryptionFailed):
        FieldCipher(lambda: new_key("v1")).open(sealed, purpose="p")
    with pytest.raises(ValueError, match="32 bytes"):
        FieldCipher(lambda: "v1:AAAA").seal("x", purpose="p")


def test_a_mac_is_of_its_text_and_purpose_and_outlives_a_rotation():
    old = new_key("v1")
    ring = old
    cipher = FieldCipher(lambda: ring)
    mac = cipher.mac("12345678", purpose="code:1")
    assert cipher.is_mac(mac, "12345678", purpose="code:1")
    assert not cipher.is_mac(mac, "12345679", purpose="code:1")
    assert not cipher.is_mac(mac, "12345678", purpose="code:2")
    ring = f"{new_key('v2')}\n{old}"
    assert cipher.is_mac(mac, "12345678", purpose="code:1")
    assert cipher.mac("12345678", purpose="code:1") != mac
    ring = new_key("v1")
    assert not cipher.is_mac(mac, "12345678", purpose="code:1"), "another key of the same name"


def test_what_was_hashed_before_a_rotation_is_found():
    old, new = new_key("1"), new_key("2")
    made = FieldCipher(lambda: old).mac("ada@example.com", purpose="address")
    macs = FieldCipher(lambda: f"{new}\n{old}").macs("ada@example.com", purpose="address")
    assert len(macs) == 2
    assert made in macs
    assert made not in FieldCipher(lambda: new).macs("ada@example.com", purpose="address")


def test_a_ring_with_two_keys_of_one_name_is_refused():
    """One of them would hide the other: what the hidden one sealed could not be opened."""
    cipher = FieldCipher(lambda: f"{new_key('v2')}\n{new_key('v2')}")
    with pytest.raises(ValueError, match="two keys named 'v2'"):
        cipher.seal("text", purpose="a")
