from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from grove.core.backoff import full_jitter
from grove.core.clock import now, rfc3339
from grove.core.errors import Forbidden, InvalidToken, RateLimited, ServiceUnavailable, Unauthorized
from grove.core.ids import earliest_at, made_at, new_id
from grove.core.schema import Incoming, Moment


class Body(Incoming):
    at: Moment


def test_ids_rise_with_time():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert {i.version for i in ids} == {7}


def test_the_earliest_id_of_a_moment_is_between_those_made_before_and_after():
    before = new_id()
    moment = made_at(before) + timedelta(milliseconds=1)
    while now() < moment:
        pass
    assert before < earliest_at(moment) <= new_id()
    assert made_at(earliest_at(moment)) == moment


def test_times_are_utc_in_and_z_out():
    body = Body.model_validate({"at": "2026-01-02T03:04:05+02:00"})
    assert body.at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert body.model_dump(mode="json") == {"at": "2026-01-02T01:04:05Z"}
    assert now().tzinfo is UTC
    assert rfc3339(datetime(2026, 1, 1, tzinfo=UTC)).endswith("Z")


def test_naive_times_and_unknown_fields_are_refused():
    with pytest.raises(ValidationError):
        Body.model_validate({"at": "2026-01-02T03:04:05"})
    with pytest.raises(ValidationError):
        Body.model_validate({"at": "2026-01-02T03:04:05Z", "more": 1})


def test_errors_carry_their_headers():
    assert Unauthorized().headers["WWW-Authenticate"] == 'Bearer realm="grove"'
    assert 'error="invalid_token"' in InvalidToken().headers["WWW-Authenticate"]
    assert RateLimited(0).headers["Retry-After"] == "1"
    assert ServiceUnavailable(retry_after=7).headers["Retry-After"] == "7"
    assert Forbidden("Not here.").message == "Not here."


def test_backoff_grows_to_its_cap_and_never_beyond():
    for attempt in range(1, 40):
        assert 0 <= full_jitter(attempt, base=1, cap=30) <= min(30, 2 ** (attempt - 1))
