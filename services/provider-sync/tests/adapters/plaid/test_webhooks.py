"""Webhooks: only what Plaid signed a moment ago is believed, and what it means."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.providers.interface import Notice, NoticeRefused

pytestmark = pytest.mark.integration

NEWS = ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE")


def part(value) -> str:
    return encoded(json.dumps(value).encode())


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


async def told(plaid, world, kind: str, code: str, /, **more) -> list[Notice]:
    return list(await plaid.notices(*await world.webhook("item-1", kind, code, **more)))


@pytest.mark.parametrize(
    ("kind", "code", "more", "means"),
    [
        (*NEWS, {}, "news"),
        ("TRANSACTIONS", "INITIAL_UPDATE", {}, "news"),
        ("TRANSACTIONS", "HISTORICAL_UPDATE", {}, "news"),
        ("TRANSACTIONS", "DEFAULT_UPDATE", {}, "news"),
        ("TRANSACTIONS", "TRANSACTIONS_REMOVED", {"removed_transactions": ["t"]}, "news"),
        ("ITEM", "ERROR", {"error": {"error_code": "ITEM_LOGIN_REQUIRED"}}, "refused"),
        ("ITEM", "ERROR", {"error": {"error_code": "USER_PERMISSION_REVOKED"}}, "withdrawn"),
        ("ITEM", "USER_PERMISSION_REVOKED", {"error": {"error_code": "USER_PERMISSION_REVOKED"}}, "withdrawn"),
        ("ITEM", "USER_ACCOUNT_REVOKED", {"account_id": "a"}, "withdrawn"),
        ("ITEM", "LOGIN_REPAIRED", {}, "repaired"),
    ],
)
async def test_what_a_webhook_means(plaid, world, kind, code, more, means):
    [notice] = await told(plaid, world, kind, code, **more)
    assert (notice.external_id, notice.kind, notice.ends_at) == ("item-1", means, None)
    assert abs((notice.written_at - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("kind", "code", "more"),
    [
        ("ITEM", "ERROR", {"error": {"error_code": "INSTITUTION_DOWN"}}),
        ("ITEM", "WEBHOOK_UPDATE_ACKNOWLEDGED", {}),
        ("ITEM", "NEW_CODE", {"item_id": None, "error": "of any form"}),
        ("TRANSACTIONS", "RECURRING_TRANSACTIONS_UPDATE", {}),
        ("LINK", "SESSION_FINISHED", {}),
        ("ASSETS", "ERROR", {}),
    ],
)
async def test_all_else_means_nothing(plaid, world, kind, code, more):
    assert await told(plaid, world, kind, code, **more) == []


async def test_an_end_is_told_of_with_its_time_or_a_week_ahead(plaid, world):
    [given] = await told(plaid, world, "ITEM", "PENDING_EXPIRATION", consent_expiration_time="2030-01-15T13:25:17.766Z")
    assert (given.kind, given.ends_at) == ("ends_soon", datetime(2030, 1, 15, 13, 25, 17, 766000, UTC))
    for code in ("PENDING_EXPIRATION", "PENDING_DISCONNECT"):
        [week] = await told(plaid, world, "ITEM", code)
        assert week.ends_at - week.written_at == timedelta(days=7)


@pytest.mark.parametrize(
    "wrong",
    [
        "alg_none",
        "body",
        "future",
        "key",
        "no_header",
        "old",
        "public_key_as_secret",
        "unknown_key",
    ],
)
async def test_an_attack_is_refused(plaid, world, wrong):
    assert await told(plaid, world, *NEWS), "without the attack it is believed"
    with pytest.raises(NoticeRefused):
        await told(plaid, world, *NEWS, wrong=wrong)


async def test_a_rotated_key_is_taken_and_one_that_was_put_away_is_not(plaid, world):
    await told(plaid, world, *NEWS)
    await world.rotate(expire=False)
    assert await told(plaid, world, *NEWS)
    assert await told(plaid, world, *NEWS, wrong="previous_key"), "both are good until the older one is put away"
    await world.rotate(expire=False)
    await world.rotate(expire=True)
    assert await told(plaid, world, *NEWS)
    with pytest.raises(NoticeRefused):
        await told(plaid, world, *NEWS, wrong="previous_key")


async def test_the_same_signature_does_not_serve_for_another_body(plaid, world):
    headers, body = await world.webhook("item-1", *NEWS)
    with pytest.raises(NoticeRefused):
        await plaid.notices(headers, body.replace(b"item-1", b"item-2"))


@pytest.mark.parametrize("age", [-61, 301])
async def test_five_minutes_are_the_limit(plaid, world, monkeypatch, age):
    from grove_provider_sync.adapters.plaid import signatures

    headers, body = await world.webhook("item-1", *NEWS)
    moment = datetime.now(UTC)
    monkeypatch.setattr(signatures, "now", lambda: moment + timedelta(seconds=age - (age < 0)))
    with pytest.raises(NoticeRefused):
        await plaid.notices(headers, body)
    monkeypatch.setattr(signatures, "now", lambda: moment + timedelta(seconds=age * 0.9))
    assert await plaid.notices(headers, body)


BODY = b'{"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE", "item_id": "i"}'
HEADER = {"alg": "ES256", "kid": "some-key"}
CLAIMS = {"iat": int(time.time()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "x.y",
        "x.y.z",
        "..",
        "\ud800.y.z",
        f"{part([1])}.{part(CLAIMS)}.AA",
        f"{part(HEADER)}.{part([CLAIMS])}.AA",
        f"{part(HEADER)}.{part('text')}.AA",
        f"{part(HEADER)}..AA",
        f"{part(HEADER | {'alg': 'RS256'})}.{part(CLAIMS)}.AA",
        f"{part(HEADER | {'alg': ['ES256']})}.{part(CLAIMS)}.AA",
        f"{part(HEADER | {'kid': None})}.{part(CLAIMS)}.AA",
        f"{part(HEADER | {'kid': ['a']})}.{part(CLAIMS)}.AA",
        f"{part(HEADER | {'kid': '../x'})}.{part(CLAIMS)}.AA",
        f"{part(HEADER | {'kid': 'k' * 65})}.{part(CLAIMS)}.AA",
        f"{part({'kid': 'some-key'})}.{part(CLAIMS)}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'iat': None})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'iat': True})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'iat': 10**1000})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'iat': float('nan')})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'iat': float('inf')})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'request_body_sha256': None})}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'request_body_sha256': 'ü'})}.AA",
        f"{part(HEADER)}.{part({'iat': CLAIMS['iat']})}.AA",
        f"{part(HEADER)}.{encoded(b'[' * 2000)}.AA",
        f"{encoded(b'[' * 2000)}.{part(CLAIMS)}.AA",
        f"{part(HEADER)}.{part(CLAIMS | {'more': 'x' * 5000})}.AA",
    ],
)
async def test_what_is_no_token_of_plaids_is_refused_without_asking_for_a_key(plaid, world, token):
    before = await world.calls("/webhook_verification_key/get")
    with pytest.raises(NoticeRefused):
        await plaid.notices({"plaid-verification": token}, BODY)
    assert await world.calls("/webhook_verification_key/get") == before


async def test_a_signed_webhook_of_another_form_is_named_by_its_field(plaid, world):
    with pytest.raises(UpstreamError, match="`item_id`"):
        await told(plaid, world, *NEWS, item_id=5)
    with pytest.raises(UpstreamError, match="`error`"):
        await told(plaid, world, "ITEM", "ERROR")
