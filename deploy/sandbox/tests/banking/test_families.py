"""What one consent gave is a family and ends as one; others of the same customer stay."""


async def test_a_spent_refresh_token_ends_its_own_family_only_and_is_counted(bank):
    mine, other = await bank.consent("fay"), await bank.consent("fay")
    fresh = (await bank.refresh(mine)).json()
    assert (await bank.refresh(mine)).json() == {"error": "invalid_grant"}
    assert (await bank.refresh(fresh)).status_code == 400
    assert (await bank.get("accounts", fresh)).status_code == 401
    assert (await bank.get("accounts", other)).status_code == 200
    assert (await bank.refresh(other)).status_code == 200
    told = await bank.told()
    assert told["refresh_tokens_used_twice"] == {"count": 1, "customers": {"fay": 1}}
    assert told["refreshes"] == {"fay": 2}


async def test_revoking_ends_the_family_only(bank):
    mine, other = await bank.consent("fred"), await bank.consent("fred")
    for _ in range(2):
        revoked = await bank.http.post("/oauth/revoke", data={"token": mine["refresh_token"]}, auth=bank.basic)
        assert revoked.status_code == 200
    assert (await bank.get("accounts", mine)).json() == {"error": "invalid_token"}
    assert (await bank.refresh(mine)).json() == {"error": "invalid_grant"}
    assert (await bank.get("accounts", other)).status_code == 200


async def test_a_customer_who_withdraws_ends_all_and_the_bank_says_so(bank):
    mine, other = await bank.consent("wanda"), await bank.consent("wanda")
    strangers = await bank.consent("sue")
    await bank.http.post("/control/customers/wanda/revoke")
    for tokens in (mine, other):
        refused = await bank.refresh(tokens)
        assert refused.json() == {"error": "invalid_grant", "error_description": "consent withdrawn"}
        assert (await bank.get("accounts", tokens)).json()["error_description"] == "consent withdrawn"
    assert (await bank.get("accounts", strangers)).status_code == 200


async def test_the_three_rotations(bank):
    await bank.behave(rotation="none")
    tokens = await bank.consent("rita")
    assert "refresh_token" not in (await bank.refresh(tokens)).json()
    await bank.behave(rotation="same")
    assert (await bank.refresh(tokens)).json()["refresh_token"] == tokens["refresh_token"]
    await bank.behave(rotation="new")
    assert (await bank.refresh(tokens)).json()["refresh_token"] != tokens["refresh_token"]
    assert (await bank.told())["refresh_tokens_used_twice"]["count"] == 0


async def test_tokens_and_consents_end(bank):
    await bank.behave(access_token_seconds=1e-9, consent_seconds=3600)
    tokens = await bank.consent("ed")
    assert (tokens["expires_in"], tokens["customer_id"], "T" in tokens["consent_ends_at"]) == (1e-9, "ed", True)
    assert (await bank.get("accounts", tokens)).json() == {"error": "invalid_token"}
    await bank.behave(consent_seconds=1e-9)
    over = await bank.consent("ed")
    assert (await bank.refresh(over)).json()["error_description"] == "consent ended"
    await bank.behave()
    lasting = (await bank.refresh(tokens)).json()
    assert (await bank.get("accounts", lasting)).status_code == 200
    assert "consent_ends_at" not in await bank.consent("ed")
