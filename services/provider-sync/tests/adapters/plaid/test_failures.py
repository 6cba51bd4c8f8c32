"""What each of Plaid's refusals means."""

import httpx2
import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.plaid.failures import AccessUnknown, error_of, failure_of, is_throttle, is_whole_pause
from grove_provider_sync.adapters.plaid.published import Failure
from grove_provider_sync.providers.interface import CursorRefused, HistoryChanged, ProviderRefused, ProviderThrottled


def failure(code: str, kind: str = "ITEM_ERROR", message: str = "") -> Failure:
    return Failure(error_type=kind, error_code=code, error_message=message)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ITEM_LOGIN_REQUIRED", "refused"),
        ("INVALID_ACCESS_TOKEN", "refused"),
        ("ITEM_NOT_FOUND", "refused"),
        ("ITEM_LOCKED", "refused"),
        ("INVALID_PUBLIC_TOKEN", "refused"),
        ("INVALID_LINK_TOKEN", "refused"),
        ("USER_PERMISSION_REVOKED", "withdrawn"),
        ("ACCESS_NOT_GRANTED", "withdrawn"),
    ],
)
def test_access_that_has_ended(code, reason):
    error = error_of(failure(code))
    assert isinstance(error, ProviderRefused)
    assert error.reason == reason


def test_an_unknown_access_token_is_told_apart():
    known = {code: isinstance(error_of(failure(code)), AccessUnknown) for code in ("ITEM_NOT_FOUND", "ITEM_LOCKED")}
    assert known == {"ITEM_NOT_FOUND": True, "ITEM_LOCKED": False}


def test_pages_that_must_be_read_again():
    assert isinstance(error_of(failure("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")), HistoryChanged)
    about_cursor = failure("INVALID_FIELD", "INVALID_REQUEST", "cursor not associated with access_token")
    assert isinstance(error_of(about_cursor), CursorRefused)
    other = error_of(failure("INVALID_FIELD", "INVALID_REQUEST", "count must be at most 500"))
    assert (type(other), other.message) == (UpstreamError, "Plaid answered with INVALID_FIELD.")


def test_a_history_that_is_not_ready_is_waited_for():
    error = error_of(failure("PRODUCT_NOT_READY"))
    assert isinstance(error, ProviderThrottled)
    assert (error.retry_after, error.whole) == (30, False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("INSTITUTION_DOWN", "Plaid can't reach the bank at the moment."),
        ("INSTITUTION_NOT_RESPONDING", "The bank does not answer Plaid at the moment."),
        ("INTERNAL_SERVER_ERROR", "Plaid has a fault at the moment."),
        ("PLANNED_MAINTENANCE", "Plaid is being maintained at the moment."),
        ("INVALID_API_KEYS", "Plaid answered with INVALID_API_KEYS."),
        ("access-production-1234", "Plaid answered with an error that it does not publish."),
    ],
)
def test_other_failures_are_told_in_words(code, words):
    error = error_of(failure(code, message="secret"))
    assert (type(error), error.message) == (UpstreamError, words)


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("TRANSACTIONS_SYNC_LIMIT", False),
        ("ACCOUNTS_LIMIT", False),
        ("ITEM_GET_LIMIT", False),
        ("RATE_LIMIT", True),
        ("SOMETHING_NEW_LIMIT", True),
    ],
)
def test_a_throttle_is_meant_for_all_or_for_one_connection(code, whole):
    told = failure(code, "RATE_LIMIT_EXCEEDED")
    assert is_throttle(told)
    assert is_whole_pause(httpx2.Response(429, content=told.model_dump_json())) is whole


def test_a_throttle_that_is_not_in_plaids_words_is_meant_for_all():
    assert is_whole_pause(httpx2.Response(429, content="<html>"))
    assert not is_throttle(failure("ITEM_LOCKED"))


def test_a_refusal_that_is_none_of_plaids():
    with pytest.raises(UpstreamError, match=r"Plaid answered 403\."):
        failure_of(httpx2.Response(403, content="secret"))
