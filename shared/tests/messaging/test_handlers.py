"""What is said of a message that is no event."""

import json

import pytest

from grove.contracts.auth import ApiKeyDeleted
from grove.core.ids import new_id
from grove.messaging.handlers import Handlers, Unacceptable


async def apply(*_: object) -> None:
    """Nothing."""


def refusal(body: object) -> str:
    handlers = Handlers()
    handlers.add(ApiKeyDeleted, apply)
    with pytest.raises(Unacceptable) as refused:
        handlers.parse(json.dumps(body).encode())
    return str(refused.value)


def test_what_is_wrong_with_an_event_is_told_in_words_and_without_what_it_says():
    event = {
        "specversion": "1.0",
        "id": str(new_id()),
        "source": "/grove/auth",
        "type": ApiKeyDeleted.type,
        "subject": str(new_id()),
        "time": "2026-01-01T00:00:00Z",
        "sequence": 1,
        "data": {"user_id": "ada@example.com"},
    }
    told = refusal(event)
    assert told.startswith("not a valid event: user_id: Input should be a valid UUID")
    assert "; api_key_id: Field required; " in told
    for noise in ("ada@example.com", "https://", "{", "loc"):
        assert noise not in told
    assert refusal([]).startswith("not a valid event: it: ")
