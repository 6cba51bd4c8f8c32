"""Passkeys through the whole suite: a device is added, signs in, and its user is known everywhere."""

from grove.testing.authenticator import Authenticator


async def test_a_passkey_signs_in_and_proves_again_who_you_are(suite, ada):
    async def post(path: str, body=None, *, signed_in: bool = True):
        return await ada.client.post(f"{suite.auth}{path}", json=body, headers=ada.headers if signed_in else None)

    device = Authenticator(origin=suite.file["portal_url"])
    asked = (await post("/passkeys/options")).json()
    body = {"challenge_id": asked["challenge_id"], "credential": device.create(asked["public_key"]), "name": "Phone"}
    added = await post("/passkeys", body)
    assert added.status_code == 201, added.text

    asked = (await post("/passkeys/login/options", signed_in=False)).json()
    body = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"])}
    answer = await post("/passkeys/login", body, signed_in=False)
    assert answer.status_code == 200, answer.text
    assert (await post("/passkeys/login", body, signed_in=False)).status_code == 401
    ada.tokens = answer.json()
    for path in ("/tasks", "/notifications", "/connections"):
        assert (await ada.call("GET", path)).status_code == 200

    asked = (await post("/passkeys/reauthenticate/options")).json()
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["public_key"])}
    again = await post("/reauthenticate", {"passkey": proof})
    assert again.status_code == 200, again.text
    ada.tokens["access_token"] = again.json()["access_token"]

    passkey = f"{suite.auth}/passkeys/{added.json()['id']}"
    assert (await ada.client.delete(passkey, headers=ada.headers)).status_code == 204
    listed = await ada.client.get(f"{suite.auth}/passkeys", headers=ada.headers)
    assert listed.json() == {"items": []}
