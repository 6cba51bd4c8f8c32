"""Tokens made by somebody who wants in, or wants a crash: each is refused as invalid, whatever is wrong with it.

Most are signed with the right key: what is refused here is refused for itself, not for a broken signature.
"""

import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.core.ids import new_id
from grove.security.tokens import MAX_TOKEN_CHARS, KeyCache, TokenVerifier
from grove.testing.forged_tokens import HEADER, ISSUED, VERIFIER, claims, der, encoded, raw, signed_text, token, written
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
YEAR = 365 * 24 * 3600


async def refused(hostile: str) -> None:
    with pytest.raises(InvalidToken):
        await VERIFIER.verify(hostile)


async def test_tokens_made_here_are_good_where_nothing_is_wrong():
    assert (await VERIFIER.verify(token())).has("tasks:read")
    assert (await VERIFIER.verify(token(HEADER | {"typ": "application/at+jwt"}, claims(aud=AUDIENCE)))).version == 1
    nearly = int(time.time()) + 5  # clocks of two machines differ
    assert await VERIFIER.verify(token(payload=claims(iat=nearly, nbf=nearly, auth_time=nearly)))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", " none", "", None, 0, [], ["none"], {}])
@pytest.mark.parametrize("signature", ["", "AAAA", "right"])
async def test_unsigned(alg, signature):
    text = signed_text(HEADER | {"alg": alg})
    await refused(f"{text}.{encoded(raw(text)) if signature == 'right' else signature}")


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("form", ["jwk", "pem", "der", "point", "x"])
async def test_the_public_key_as_a_shared_secret(digest, form):
    public = ISSUED.key.get_op_key("verify")
    secret = {
        "jwk": json.dumps(ISSUED.key.as_dict(private=False)).encode(),
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "x": str(ISSUED.key.as_dict(private=False)["x"]).encode(),
    }[form]
    text = signed_text(HEADER | {"alg": f"HS{digest[3:]}"})
    await refused(f"{text}.{encoded(hmac.digest(secret, text.encode(), digest))}")


@pytest.mark.parametrize("alg", ["HS256", "RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "es256", "ES256 ", 1])
async def test_another_algorithm_is_named(alg):
    await refused(token(HEADER | {"alg": alg}))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt+x", "application/jwt", "", 1, ["at+jwt"], {"at+jwt": 1}])
async def test_another_type(typ):
    await refused(token(HEADER | {"typ": typ}))


@pytest.mark.parametrize("missing", HEADER)
async def test_a_header_field_is_missing(missing):
    await refused(token({name: value for name, value in HEADER.items() if name != missing}))


async def test_another_key_under_the_right_name():
    await refused(token(key=ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    "kid", [str(new_id()), "", "../../dev/null", "' OR 1=1 --", "\x00", "x" * 300, 5, None, [], {}]
)
async def test_a_key_nobody_knows(kid):
    await refused(token(HEADER | {"kid": kid}))
    await refused(token(HEADER | {"kid": kid}, key=ec.generate_private_key(ec.SECP256R1())))


MINE = Issuer()


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": MINE.key.as_dict(private=False)},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/key.pem"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"iss": ISSUER},
        {"x": 1},
    ],
)
async def test_a_header_that_says_more(extra):
    await refused(token(HEADER | extra))
    await refused(token(HEADER | extra, key=MINE.key.get_op_key("sign")))
    await refused(token(HEADER | extra | {"kid": MINE.key.kid}, key=MINE.key.get_op_key("sign")))


async def test_an_unencoded_payload():
    text = f"{written(HEADER | {'b64': False, 'crit': ['b64']})}.{json.dumps(claims())}"
    await refused(f"{text}.{encoded(raw(text))}")


async def test_fields_that_come_twice():
    await refused(token(b'{"alg":"none",' + json.dumps(HEADER).encode()[1:]))
    await refused(token(json.dumps(HEADER).encode()[:-1] + b',"kid":"other","kid":"' + HEADER["kid"].encode() + b'"}'))
    await refused(token(payload=b'{"sub":"' + str(new_id()).encode() + b'",' + json.dumps(claims()).encode()[1:]))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp", "jti", "client_id", "sid", "auth_time", "roles"])
async def test_a_claim_is_missing(name):
    await refused(token(payload=claims(**{name: None})))


@pytest.mark.parametrize("name", ["scope", "ver", "gver"])
async def test_a_claim_of_ours_is_missing(name):
    await refused(token(payload=claims(**{name: None})))


@pytest.mark.parametrize("name", ["iat", "exp", "nbf", "auth_time"])
@pytest.mark.parametrize(
    "value", [True, "soon", "99999999999", 1e12, 9.9e9, -1e30, 10**30, [9999999999], {}, float("inf")]
)
async def test_a_time_that_is_none(name, value):
    await refused(token(payload=claims(**{name: value})))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 2000, "00", "0x1", "+1"])
@pytest.mark.parametrize("name", ["exp", "ver"])
async def test_a_number_that_is_none(name, number):
    body = json.dumps(claims(**{name: "THIS"})).replace('"THIS"', number)
    await refused(token(payload=body.encode()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": -1},
        {"exp": 0},
        {"exp": 1},
        {"exp": -YEAR},
        {"iat": YEAR},
        {"iat": 120},
        {"nbf": YEAR},
        {"nbf": 120},
        {"auth_time": YEAR},
        {"auth_time": 120},
    ],
)
async def test_past_or_future(wrong):
    [(name, offset)] = wrong.items()
    moment = offset if offset in {0, 1} else int(time.time()) + offset
    await refused(token(payload=claims(**{name: moment})))


@pytest.mark.parametrize("iss", ["https://evil.test", ISSUER + "/", ISSUER.upper(), "", [ISSUER], {ISSUER: 1}, True, 1])
async def test_another_issuer(iss):
    await refused(token(payload=claims(iss=iss)))


@pytest.mark.parametrize(
    "aud",
    [
        "https://other.test",
        AUDIENCE + "/",
        AUDIENCE[:-1],
        "",
        [],
        ["https://other.test"],
        [[AUDIENCE]],
        {AUDIENCE: 1},
        [AUDIENCE, 1],
        [AUDIENCE, None],
        1,
        True,
    ],
)
async def test_another_audience(aud):
    await refused(token(payload=claims(aud=aud)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": 1},
        {"sub": [str(new_id())]},
        {"sub": {"$ne": None}},
        {"sub": "admin"},
        {"sub": "{" + str(new_id()) + "}"},
        {"sub": "urn:uuid:" + str(new_id())},
        {"sub": new_id().hex},
        {"sid": 5},
        {"sid": ""},
        {"sid": {"$ne": ""}},
        {"sid": ["x"]},
        {"jti": 5},
        {"client_id": []},
        {"scope": ["tasks:read"]},
        {"scope": {"tasks:read": 1}},
        {"scope": 5},
        {"roles": "admin"},
        {"roles": {"admin": 1}},
        {"roles": [["admin"]]},
        {"roles": [1]},
        {"ver": "1"},
        {"ver": True},
        {"ver": 1.5},
        {"ver": -1},
        {"gver": "0"},
        {"gver": False},
        {"gver": []},
    ],
)
async def test_a_claim_of_another_kind(wrong):
    await refused(token(payload=claims(**wrong)))


@pytest.mark.parametrize(
    "part", [b"[]", b"null", b"1", b'"alg typ kid"', b"", b" ", b"{", b"{}", b"\xff\xfe", b'{"a":1}x']
)
async def test_a_part_that_is_no_object(part):
    await refused(token(header=part))
    await refused(token(payload=part))


@pytest.mark.parametrize("deep", [b"[" * 2900, b'{"a":' * 560, b"[" * 1400 + b"]" * 1400])
async def test_deep_json(deep):
    await refused(f"{encoded(deep)}.e30.AAAA")
    await refused(token(payload=deep[:2700]))
    await refused(token(payload=b'{"x":' + b"[" * 1200 + b"]" * 1200 + b"," + json.dumps(claims()).encode()[1:]))


@pytest.mark.parametrize("size", [MAX_TOKEN_CHARS, 10**5, 10**7])
async def test_huge(size):
    await refused("A" * size)
    await refused("." * size)
    await refused(token(payload=claims(scope="x" * size)))


SPOILED = {
    "cut off": lambda text, whole: whole[:-2],
    "half": lambda text, whole: whole[:43],
    "none": lambda text, whole: "",
    "longer": lambda text, whole: whole + "AAAA",
    "zeros": lambda text, whole: encoded(bytes(64)),
    "r is 0": lambda text, whole: encoded(bytes(32) + (1).to_bytes(32, "big")),
    "s is 0": lambda text, whole: encoded((1).to_bytes(32, "big") + bytes(32)),
    "r and s are the order": lambda text, whole: encoded(ORDER.to_bytes(32, "big") * 2),
    "ones": lambda text, whole: encoded(b"\xff" * 64),
    "ASN.1": lambda text, whole: encoded(der(text)),
    "padded": lambda text, whole: whole + "==",
    "line break": lambda text, whole: whole[:40] + "\n" + whole[40:],
    "blank": lambda text, whole: whole + " ",
    "plus and slash": lambda text, whole: whole.replace("-", "+").replace("_", "/") + "+",
    "spare bits": lambda text, whole: whole[:-1] + LETTERS[LETTERS.index(whole[-1]) + 1],
    "not ASCII": lambda text, whole: whole[:-1] + "é",
    "half a character": lambda text, whole: whole[:-1] + "\ud800",
}


@pytest.mark.parametrize("how", SPOILED)
async def test_a_spoiled_signature(how):
    text = signed_text()
    await refused(f"{text}.{SPOILED[how](text, encoded(raw(text)))}")


@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", "+", "é", "\x00"])
async def test_another_spelling_of_the_same_bytes(extra):
    header, payload, signature = token().split(".")
    for hostile in (
        f"{header}{extra}.{payload}.{signature}",
        f"{header}.{payload}{extra}.{signature}",
        f"{extra}{header}.{payload}.{signature}",
        f"{header}.{payload}.{signature}{extra}",
    ):
        await refused(hostile)


async def test_parts_missing_or_too_many():
    header, payload, signature = token().split(".")
    parts = [f"..{signature}", f".{payload}.{signature}", f"{header}..{signature}", f"{header}.{payload}."]
    parts += [f"{header}.{payload}", header, "", ".", "..", "...", f"{header}.{payload}.{signature}.", "a.b.c"]
    parts += [f"{header}.{payload}.{signature}.{signature}", f"{header}.{payload}.{signature}.x.y"]
    for hostile in parts:
        await refused(hostile)


async def test_auth_publishing_nonsense_is_an_outage_not_a_crash():
    for document in ({}, {"keys": 5}, {"keys": [5]}, {"keys": [{}]}, {"keys": [{"kty": "EC", "kid": "x"}]}, [], None):

        async def fetch(found=document):
            return found

        with pytest.raises(ServiceUnavailable):
            await TokenVerifier(KeyCache(fetch), issuer=ISSUER, audience=AUDIENCE).verify(token())
