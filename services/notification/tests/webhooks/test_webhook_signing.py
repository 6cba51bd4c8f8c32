"""Signatures, by the library of Standard Webhooks and by cryptography's own check."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from grove.core.clock import now
from grove_notification.webhooks.errors import TooManyOverlaps
from grove_notification.webhooks.signing import MAX_FORMER, Keys, headers

BODY = '{"type":"a.b","data":{"name":"Ünï"}}'
DAY = timedelta(hours=24)


def signed(keys: Keys, moment=None) -> dict[str, str]:
    moment = moment or now()
    return headers(keys.signing(moment), "0198c1e5", moment, BODY)


def check_pair(public_key: str, given: dict[str, str]) -> None:
    assert public_key.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    content = f"{given['webhook-id']}.{given['webhook-timestamp']}.{BODY}".encode()
    for each in given["webhook-signature"].split():
        version, signature = each.split(",")
        assert version == "v1a"
        try:
            return key.verify(base64.b64decode(signature), content)
        except InvalidSignature:
            continue
    raise InvalidSignature


def test_a_shared_secret_signs_as_the_library_checks():
    keys = Keys.new("v1")
    assert keys.shown == keys.secret
    assert len(base64.b64decode(keys.secret.removeprefix("whsec_"))) == 32
    assert keys.public_key is None
    assert Webhook(keys.secret).verify(BODY, signed(keys)) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(keys.secret).verify(BODY + " ", signed(keys))
    with pytest.raises(WebhookVerificationError):
        Webhook(Keys.new("v1").secret).verify(BODY, signed(keys))


def test_of_a_pair_only_the_public_half_is_shown():
    keys = Keys.new("v1a")
    assert keys.shown is None
    check_pair(keys.public_key, signed(keys))
    with pytest.raises(InvalidSignature):
        check_pair(Keys.new("v1a").public_key, signed(keys))


def test_a_former_secret_signs_until_its_time_is_over():
    first = Keys.new("v1")
    moment = now()
    second = first.rotated(moment, timedelta(seconds=60))
    both = signed(second, moment)
    assert both["webhook-signature"].count("v1,") == 2
    for keys in (first, second):
        Webhook(keys.secret).verify(BODY, both)
    later = signed(second, moment + timedelta(seconds=61))
    Webhook(second.secret).verify(BODY, later)
    with pytest.raises(WebhookVerificationError):
        Webhook(first.secret).verify(BODY, later)


def test_rotating_again_keeps_the_secrets_whose_time_is_not_over():
    keys = [Keys.new("v1")]
    for _ in range(MAX_FORMER):
        keys.append(keys[-1].rotated(now(), DAY))
    assert keys[-1].signing(now()) == [each.secret for each in reversed(keys)]
    assert Keys.loads(keys[-1].dumps()) == keys[-1]


def test_as_many_former_secrets_as_can_be_end_when_it_was_promised():
    keys, moment = Keys.new("v1"), now()
    for hour in range(MAX_FORMER):
        keys = keys.rotated(moment + timedelta(hours=hour), DAY)
    with pytest.raises(TooManyOverlaps):
        keys.rotated(moment + timedelta(hours=23), DAY)
    assert len(keys.rotated(moment + DAY, DAY).signing(moment + DAY)) == MAX_FORMER + 1
    assert len(keys.rotated(moment, timedelta(0)).signing(moment)) == 1


def test_without_overlap_every_former_secret_ends_at_once():
    keys = Keys.new("v1").rotated(now(), DAY)
    last = keys.rotated(now(), timedelta(0))
    assert last.signing(now()) == [last.secret]


def test_pairs_rotate_too():
    first = Keys.new("v1a")
    second = first.rotated(now(), DAY)
    assert second.public_key != first.public_key
    for keys in (first, second):
        check_pair(keys.public_key, signed(second))
