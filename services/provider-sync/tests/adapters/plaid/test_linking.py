"""Linking by the adapter: what it asks Plaid for, and what it makes of what the user did there."""

from datetime import UTC, datetime

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.providers.interface import ProviderRefused, Tokens

pytestmark = pytest.mark.integration


async def test_a_user_links_a_bank(linker, world):
    consent = await linker.begin()
    back = await world.visit(consent.url, customer=linker.customer)
    assert back == {"state": "st"}, "the callback has our state and no code"
    grant = await linker.finish(consent.secret)
    [item] = await world.items(linker.customer)
    assert (grant.external_id, grant.ends_at) == (item["id"], None)
    assert (grant.tokens.refresh_token, grant.tokens.expires_at) == (None, None)
    assert (item["webhook"], item["days_requested"]) == ("https://grove.test/hooks", 730)


async def test_the_end_of_a_consent_is_told(linker, plaid, world, monkeypatch):
    grant = await linker.linked()
    await world.behave(grant.external_id, consent_ends_at="2030-01-02T03:04:05Z")
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url)
    ended = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (await linker.finish(consent.secret, grant.tokens)).ends_at == ended
    assert await plaid._end(grant.tokens.access_token) == ended


async def test_a_new_token_is_kept_though_its_end_can_not_be_asked_for(linker, world):
    consent = await linker.begin()
    await world.visit(consent.url, customer=linker.customer)
    await world.http.post("/control/faults", json={"path": "/plaid/item/get", "status": 500, "times": 100})
    grant = await linker.finish(consent.secret)
    assert (len(grant.tokens.access_token) > 20, grant.ends_at) == (True, None)


@pytest.mark.parametrize("decision", ["exit", None])
async def test_a_user_who_left_or_never_came_has_given_no_access(linker, world, decision):
    consent = await linker.begin()
    if decision:
        await world.visit(consent.url, customer=linker.customer, decision=decision)
    with pytest.raises(ProviderRefused):
        await linker.finish(consent.secret)
    assert await world.items(linker.customer) == []


async def test_one_who_left_and_came_again_has(linker, world):
    consent = await linker.begin()
    await world.visit(consent.url, customer=linker.customer, decision="exit")
    await world.visit(consent.url, customer=linker.customer)
    assert (await linker.finish(consent.secret)).external_id


@pytest.mark.parametrize("secret", [None, "link-sandbox-unknown", "update:link-sandbox-unknown"])
async def test_without_a_link_token_there_is_no_access(linker, secret):
    with pytest.raises(ProviderRefused):
        await linker.finish(secret)


async def test_a_public_token_is_exchanged_once(linker, world):
    consent = await linker.begin()
    await world.visit(consent.url, customer=linker.customer)
    await linker.finish(consent.secret)
    with pytest.raises(ProviderRefused):
        await linker.finish(consent.secret)
    assert len(await world.items(linker.customer)) == 1


async def test_an_exchange_is_not_repeated_by_itself(linker, world):
    consent = await linker.begin()
    await world.visit(consent.url, customer=linker.customer)
    path = "/item/public_token/exchange"
    await world.http.post("/control/faults", json={"path": f"/plaid{path}", "status": 500})
    before = await world.calls(path)
    with pytest.raises(UpstreamError, match="500"):
        await linker.finish(consent.secret)
    assert await world.calls(path) == before


async def test_update_mode_mends_the_access_that_we_hold(linker, plaid, world):
    grant = await linker.linked()
    await world.fail(grant.external_id, "ITEM_LOGIN_REQUIRED")
    with pytest.raises(ProviderRefused):
        await plaid.accounts(grant.tokens.access_token)
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url)
    again = await linker.finish(consent.secret, grant.tokens)
    assert (again.tokens, again.external_id) == (grant.tokens, grant.external_id)
    assert len(await plaid.accounts(grant.tokens.access_token)) == 2
    assert len(await world.items(linker.customer)) == 1


async def test_update_mode_that_was_left_mends_nothing(linker, world):
    grant = await linker.linked()
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url, decision="exit")
    with pytest.raises(ProviderRefused):
        await linker.finish(consent.secret, grant.tokens)


async def test_an_item_that_still_fails_after_update_mode_is_not_mended(linker, world):
    grant = await linker.linked()
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url)
    await world.fail(grant.external_id, "ITEM_LOGIN_REQUIRED")
    with pytest.raises(ProviderRefused):
        await linker.finish(consent.secret, grant.tokens)


async def test_update_mode_without_the_access_it_was_begun_with(linker, world):
    grant = await linker.linked()
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url)
    with pytest.raises(ProviderRefused):
        await linker.finish(consent.secret, None)


@pytest.mark.parametrize("why", ["withdrawn", "removed"])
async def test_access_that_plaid_can_not_mend_is_linked_anew(linker, plaid, world, why):
    grant = await linker.linked()
    if why == "withdrawn":
        await world.fail(grant.external_id, "USER_PERMISSION_REVOKED")
    else:
        await plaid.revoke(grant.tokens)
    consent = await linker.begin(grant.tokens)
    await world.visit(consent.url, customer=linker.customer)
    again = await linker.finish(consent.secret, grant.tokens)
    assert (again.external_id == grant.external_id, again.tokens == grant.tokens) == (False, False)


async def test_access_is_given_back_and_a_second_time_does_no_harm(linker, plaid, world):
    grant = await linker.linked()
    for _ in range(2):
        await plaid.revoke(grant.tokens)
    assert [item["removed"] for item in await world.items(linker.customer)] == [True]
    with pytest.raises(ProviderRefused):
        await plaid.accounts(grant.tokens.access_token)


async def test_there_is_nothing_to_refresh(plaid):
    with pytest.raises(ProviderRefused):
        await plaid.refresh(Tokens("a", None, None))
