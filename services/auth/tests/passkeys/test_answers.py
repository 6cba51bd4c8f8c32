"""What authenticators answer, down to the bytes: whatever is wrong in it is refused and does no harm."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grove.testing.authenticator import Authenticator, octets, text
from grove_auth.models import Passkey
from grove_auth.passkeys.cbor import check_plain
from grove_auth.passkeys.relying_party import NotProven, RelyingParty
from grove_auth.passkeys.schemas import Assertion, NewCredential
from grove_auth.settings import AuthSettings

PARTY = RelyingParty(AuthSettings.model_construct())
ITEMS = st.recursive(
    st.integers(-(2**63), 2**63) | st.binary() | st.text() | st.booleans() | st.floats(allow_nan=False),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)


@given(ITEMS, st.data())
def test_plain_cbor_passes_whole_only(item, data):
    written = cbor2.dumps(item)
    if not any(kind in written for kind in (b"\xc2", b"\xc3")):
        check_plain(written)
    cut = data.draw(st.integers(1, len(written)))
    if cut < len(written):
        with pytest.raises(ValueError, match="cut off"):
            check_plain(written[:cut])


@pytest.mark.parametrize("evil", [b"\xc0\x00", b"\x9f\xff", b"\x5f\xff", b"\x81" * 20 + b"\x00", b"\xbb" + b"\xff" * 8])
def test_cbor_that_no_authenticator_writes_is_refused(evil):
    with pytest.raises(ValueError, match=r"tags|deeply|cut off"):
        check_plain(evil)


@given(st.data())
def test_no_broken_answer_does_more_than_be_refused(data):
    """Bytes of a right answer are replaced, inserted or left out."""
    device, challenge = Authenticator(), bytes(32)
    request = {"rp": {"id": "localhost"}, "rpId": "localhost", "user": {"id": "AAAA"}, "challenge": text(challenge)}
    made = device.create(request)
    registered = PARTY.check_new(NewCredential.model_validate(made), challenge)
    signed = device.get(request)
    passkey = Passkey.model_construct(public_key=registered.credential_public_key)
    assert PARTY.check_answer(Assertion.model_validate(signed), challenge, passkey).user_verified
    for credential, parts in ((made, ["attestationObject", "clientDataJSON"]), (signed, ["authenticatorData"])):
        part = data.draw(st.sampled_from([*parts, "clientDataJSON"]))
        whole = octets(credential["response"][part])
        at, length = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 3))
        broken = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + length :]
        if not broken:
            continue
        changed = credential | {"response": credential["response"] | {part: text(broken)}}
        try:
            if credential is made:
                PARTY.check_new(NewCredential.model_validate(changed), challenge)
            else:
                PARTY.check_answer(Assertion.model_validate(changed), challenge, passkey)
                assert broken == whole
        except NotProven:
            pass
