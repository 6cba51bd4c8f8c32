"""Access to the sandbox bank: what its refusals mean, and that nothing is asked twice that may not be."""

from dataclasses import replace
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove_provider_sync.providers.interface import ProviderRefused, ProviderThrottled

pytestmark = pytest.mark.integration


async def test_a_code_gives_access_in_the_customers_name_until_the_consent_ends(link):
    grant = await link.grant()
    assert (grant.external_id, grant.ends_at) == (link.customer, None)
    assert timedelta(minutes=29) < grant.tokens.expires_at - now() < timedelta(minutes=31)
    await link.behave(consent_seconds=3600, access_token_seconds=0.5)
    grant = await link.grant()
    assert timedelta(minutes=59) < grant.ends_at - now() < timedelta(minutes=61)
    assert grant.tokens.expires_at < now() + timedelta(seconds=1)


async def test_without_a_code_or_with_a_wrong_one_there_is_no_access(link):
    for back in (link.back(None), link.back("unknown"), link.back(await link.code(), "x" * 43)):
        with pytest.raises(ProviderRefused) as refused:
            await link.provider.exchange(back)
        assert refused.value.reason == "refused"


async def test_the_three_rotations(link):
    held = (await link.grant()).tokens
    await link.behave(rotation="none")
    assert (await link.provider.refresh(held)).refresh_token is None
    await link.behave(rotation="same")
    assert (await link.provider.refresh(held)).refresh_token == held.refresh_token
    await link.behave(rotation="new")
    fresh = await link.provider.refresh(held)
    assert fresh.refresh_token not in {None, held.refresh_token}
    assert len(await link.provider.accounts(fresh.access_token)) == 2
    with pytest.raises(ProviderRefused):
        await link.provider.refresh(replace(held, refresh_token=None))


async def test_a_consent_that_was_withdrawn_is_told_apart_from_a_refusal(link):
    withdrawn, revoked = (await link.grant()).tokens, (await link.grant()).tokens
    await link.provider.revoke(revoked)
    await link.world.post(f"{link.control}/revoke")
    for tokens, reason in ((withdrawn, "withdrawn"), (revoked, "refused")):
        for call in (
            link.provider.refresh(tokens),
            link.provider.accounts(tokens.access_token),
            link.provider.transactions(tokens.access_token, None),
        ):
            with pytest.raises(ProviderRefused) as refused:
                await call
            assert refused.value.reason == reason


async def test_an_access_token_that_ended_is_refused_and_the_next_one_is_not(link):
    tokens = (await link.grant()).tokens
    await link.world.post(f"{link.control}/expire")
    with pytest.raises(ProviderRefused):
        await link.provider.accounts(tokens.access_token)
    fresh = await link.provider.refresh(tokens)
    assert await link.provider.accounts(fresh.access_token)


async def test_a_refresh_is_never_asked_for_twice_by_itself(link):
    tokens = (await link.grant()).tokens
    await link.fault("/oauth/token", status=503)
    with pytest.raises(UpstreamError, match="answered 503"):
        await link.provider.refresh(tokens)
    assert await link.provider.refresh(tokens)
    told = (await link.world.get("/control/bank")).json()
    assert told["refreshes"][link.customer] == 1


async def test_giving_back_is_tried_again_and_what_was_given_back_is_no_failure(link):
    tokens = (await link.grant()).tokens
    await link.fault("/oauth/revoke", status=502)
    for _ in range(2):
        await link.provider.revoke(tokens)
    with pytest.raises(ProviderRefused):
        await link.provider.refresh(tokens)
    await link.fault("/oauth/revoke", status=404)
    with pytest.raises(UpstreamError, match="answered 404"):
        await link.provider.revoke(tokens)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"error": "invalid_client"}, 401, "answered 401"),
        ({"error": "invalid_request"}, 400, "answered 400"),
        ({}, 400, "answered 400"),
    ],
)
async def test_what_is_our_own_fault_is_no_refusal_of_the_user(link, body, status, words):
    tokens = (await link.grant()).tokens
    await link.fault("/oauth/token", status=status, body=body)
    with pytest.raises(UpstreamError, match=words) as failed:
        await link.provider.refresh(tokens)
    assert not isinstance(failed.value, ProviderRefused)


@pytest.mark.parametrize("scope", ["customer", "all"])
async def test_too_many_calls_pause_whom_the_bank_means(link, calm, scope):
    tokens = (await link.grant()).tokens
    await link.behave(**{"customer_calls_per_second" if scope == "customer" else "calls_per_second": 1})
    with pytest.raises(ProviderThrottled) as throttled:
        for _ in range(20):
            await link.provider.accounts(tokens.access_token)
            await calm()
    assert throttled.value.whole is (scope == "all")
    assert throttled.value.retry_after == pytest.approx(1, abs=0.1)
    await calm()
