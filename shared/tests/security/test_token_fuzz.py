"""Whatever text comes as a token, it is refused or auth can not be asked: no crash, and nothing changed is good."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.testing.forged_tokens import HEADER, VERIFIER, claims, encoded, token

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(list(claims()))
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


async def judged(hostile: str) -> None:
    """Raises whatever is neither an answer nor a refusal."""
    with contextlib.suppress(InvalidToken, ServiceUnavailable):
        await VERIFIER.verify(hostile)


@given(st.text() | st.text(alphabet=LETTERS + ".=") | st.lists(st.binary().map(encoded), max_size=4).map(".".join))
async def test_any_text(hostile):
    await judged(hostile)


@given(
    st.dictionaries(st.sampled_from([*HEADER, "crit", "b64", "jwk"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from([*claims(), "nbf"]), JSON, max_size=3),
)
async def test_any_header_and_claims_with_a_right_signature(header, changed):
    await judged(token(HEADER | header, claims() | changed))


@given(st.data())
async def test_any_change_of_a_good_token(data):
    good = token()
    at = data.draw(st.integers(0, len(good)))
    new = data.draw(st.text(alphabet=LETTERS + ".=\n ", max_size=3))
    changed = good[:at] + new + good[at + data.draw(st.integers(0, 3)) :]
    if changed != good:
        with pytest.raises(InvalidToken):
            await VERIFIER.verify(changed)
