"""Cookie mode through the edge: a browser's session without a token that scripts could read."""

PASSWORD = "plant trees not walls"


async def test_a_browser_signs_in_refreshes_and_signs_out_by_cookie(suite, ada):
    portal = {"Origin": suite.file["portal_url"]}
    body = {"email": ada.email, "password": PASSWORD, "cookie": True}
    signed_in = await ada.client.post(f"{suite.auth}/login", json=body, headers=portal)
    assert signed_in.status_code == 200
    assert signed_in.headers["access-control-allow-credentials"] == "true"
    assert signed_in.json()["refresh_token"] is None
    csrf = {"X-CSRF-Token": signed_in.json()["csrf_token"]}
    foreign = await ada.client.post(f"{suite.auth}/refresh", headers={"Origin": "https://evil.example", **csrf})
    assert foreign.json()["error"]["code"] == "CSRF_FAILED"
    refreshed = await ada.client.post(f"{suite.auth}/refresh", headers=portal | csrf)
    assert refreshed.status_code == 200
    ada.tokens = refreshed.json()
    assert (await ada.call("GET", "/tasks")).status_code == 200
    assert (await ada.client.post(f"{suite.auth}/logout", headers=ada.headers)).status_code == 204
    assert (await ada.client.post(f"{suite.auth}/refresh", headers=portal | csrf)).status_code == 401
