"""Every way in which an answer can be wrong: for another site, another question, another time."""

import asyncio

import cbor2
import pytest

from grove.core.clock import now
from grove.testing.authenticator import Authenticator, octets, text
from grove.testing.passkeys import add, again, answered, options, post, refused, sign_in
from grove_auth.passkeys.repository import ChallengeRepository

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8443"},
        {"origin": ["https://localhost:8443"]},
        {"crossOrigin": True},
        {"type": "webauthn.create"},
        {"challenge": text(bytes(32))},
        {"challenge": None},
        {"rp_id": "evil.example"},
    ],
)
async def test_an_answer_for_another_site_or_another_question_is_refused(ada, device, wrong, passkeys_audited):
    body = await answered(ada, device, **wrong)
    assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    assert refused(await again(ada, device, **wrong))
    wrong = wrong | ({"type": "webauthn.get"} if "type" in wrong else {})
    asked = await options(ada, "/passkeys/options")
    credential = Authenticator().create(asked["public_key"], **wrong)
    answer = await post(ada, "/passkeys", {"challenge_id": asked["challenge_id"], "credential": credential})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    refusals = [("passkey.refused", "failure")] * 2 + [("passkey.added", "failure")]
    assert await passkeys_audited() == [("passkey.added", "success"), *refusals]
    assert (await sign_in(ada, device)).status_code == 200


async def test_an_answer_works_once_and_not_with_another_challenge(ada, device):
    body = await answered(ada, device)
    assert (await post(ada, "/passkeys/login", body, signed_in=False)).status_code == 200
    assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    fresh = await answered(ada, device)
    assert refused(await post(ada, "/passkeys/login", body | {"challenge_id": fresh["challenge_id"]}, signed_in=False))
    assert refused(await post(ada, "/passkeys/login", fresh, signed_in=False)), "a wrong answer used it up"


async def test_a_challenge_answered_many_times_at_once_signs_in_once(ada, resources, monkeypatch):
    device = Authenticator(counting=False)
    assert (await add(ada, device)).status_code == 201
    before = await resources.database["sessions"].count_documents({})
    body = await answered(ada, device)
    get, all_have_read = ChallengeRepository.get, asyncio.Barrier(20)

    async def together(self, key):
        found = await get(self, key)
        await all_have_read.wait()
        return found

    monkeypatch.setattr(ChallengeRepository, "get", together)
    calls = (post(ada, "/passkeys/login", body, signed_in=False) for _ in range(20))
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert await resources.database["sessions"].count_documents({}) == before + 1


async def test_a_challenge_is_for_its_purpose_its_user_and_five_minutes(ada, bob, device, resources):
    for path in ("/passkeys/reauthenticate/options", "/passkeys/options"):
        asked = await options(ada, path)
        request = {"challenge": asked["public_key"]["challenge"], "rpId": "localhost"}
        body = {"challenge_id": asked["challenge_id"], "credential": device.get(request)}
        assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
    asked = await options(ada, "/passkeys/login/options", signed_in=False)
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"])}
    assert refused(await post(ada, "/reauthenticate", {"passkey": proof}))
    asked = await options(ada, "/passkeys/options")
    body = {"challenge_id": asked["challenge_id"], "credential": Authenticator().create(asked["public_key"])}
    assert (await post(bob, "/passkeys", body)).json()["error"]["code"] == "GONE"
    assert (await post(ada, "/passkeys", body)).status_code == 201
    assert (await post(ada, "/passkeys", body)).status_code == 410
    late = await answered(ada, device)
    await resources.database["passkey_challenges"].update_many({}, {"$set": {"expires_at": now()}})
    assert refused(await post(ada, "/passkeys/login", late, signed_in=False))


@pytest.mark.parametrize("field", ["id", "rawId", "type", "response"])
async def test_what_is_no_credential_is_a_422(ada, device, field):
    body = await answered(ada, device)
    for value in (None, "a b", 5, {}, "A" * 40_000):
        changed = body | {"credential": body["credential"] | {field: value}}
        assert (await post(ada, "/passkeys/login", changed, signed_in=False)).status_code == 422


def bomb(levels: int) -> bytes:
    """CBOR that shares each level twice with the next: written out again it doubles with each."""
    first, *others = [b"\xd8\x1c\x82\x00\x00"], *range(levels)
    items = first + [b"\xd8\x1c\x82" + (b"\xd8\x1d" + cbor2.dumps(level)) * 2 for level in others]
    return bytes([0x98, len(items)]) + b"".join(items)


async def test_a_bomb_of_shared_references_does_not_go_off(ada, device):
    extensions = 0x80
    body = await answered(ada, device)
    data = octets(body["credential"]["response"]["authenticatorData"])
    data = data[:32] + bytes([data[32] | extensions]) + data[33:] + bomb(60)
    body["credential"]["response"]["authenticatorData"] = text(data)
    async with asyncio.timeout(5):
        assert refused(await post(ada, "/passkeys/login", body, signed_in=False))
        asked = await options(ada, "/passkeys/options")
        credential = Authenticator().create(asked["public_key"])
        attestation = cbor2.loads(octets(credential["response"]["attestationObject"]))
        attestation["authData"] = attestation["authData"][:-77] + bomb(60)
        credential["response"]["attestationObject"] = text(cbor2.dumps(attestation))
        answer = await post(ada, "/passkeys", {"challenge_id": asked["challenge_id"], "credential": credential})
    assert answer.status_code == 422
