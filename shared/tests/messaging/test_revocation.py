from datetime import UTC, datetime, timedelta

import pytest

from grove.contracts.auth import Revocation
from grove.core.clock import now
from grove.core.errors import ServiceUnavailable, UpstreamError
from grove.core.ids import new_id
from grove.messaging.revocation import Revocations, TokenAnswer, TokenGate
from grove.security.principal import Principal


def principal(**changes) -> Principal:
    usual = {
        "user_id": new_id(),
        "session_id": "s1",
        "scopes": frozenset(),
        "roles": frozenset(),
        "auth_time": now(),
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
        "version": 3,
        "global_version": 1,
        "token_id": str(new_id()),
    }
    return Principal(**usual | changes)


def entry(number: int, kind: str, key: str = "", minimum: int = 0, until=None) -> Revocation:
    return Revocation(number=number, kind=kind, key=key, minimum=minimum, until=until or now() + timedelta(minutes=15))


def test_a_session_a_version_or_everything_can_be_revoked():
    someone = principal()
    held = Revocations()
    assert not held.revoked(someone)
    held.add(entry(1, "session", "s2"))
    held.add(entry(2, "user", str(someone.user_id), minimum=3))
    assert not held.revoked(someone)
    held.add(entry(3, "user", str(someone.user_id), minimum=4))
    assert held.revoked(someone)
    assert held.revoked(principal(session_id="s2"))
    held.add(entry(4, "global", minimum=2))
    assert held.revoked(principal(session_id="s9"))
    assert held.number == 4


def test_an_api_key_is_ended_by_its_secret_its_user_or_everything():
    key = principal(session_id="", api_key_id="k1", token_id="s1")
    held = Revocations()
    held.add(entry(1, "session", ""))
    held.add(entry(2, "session", "s1"))
    held.add(entry(3, "signing_key", ""))
    held.add(entry(4, "api_key", "k1"))
    held.add(entry(5, "api_key", "s2"))
    assert not held.revoked(key)
    assert not held.revoked(principal(session_id="s9", signing_key_id="k9", token_id="s2")), "tokens are no keys"
    held.add(entry(6, "api_key", "s1"))
    assert held.revoked(key)
    other = principal(session_id="", api_key_id="k2", token_id="s3")
    assert not held.revoked(other)
    held.add(entry(7, "user", str(other.user_id), minimum=4))
    assert held.revoked(other)
    held.add(entry(8, "global", minimum=2))
    assert held.revoked(principal(session_id="", api_key_id="k3", token_id="s4"))


def test_a_signing_key_can_be_revoked():
    held = Revocations()
    held.add(entry(1, "signing_key", "stolen"))
    assert held.revoked(principal(signing_key_id="stolen"))
    assert not held.revoked(principal(signing_key_id="other"))


def test_entries_are_forgotten_when_no_token_can_match():
    held = Revocations()
    held.add(entry(1, "session", "s1", until=now() - timedelta(seconds=1)))
    held.add(entry(2, "heartbeat"))
    held.forget_old()
    assert not held.revoked(principal())


class Feed:
    def __init__(self, *, live: bool, revoked: bool = False) -> None:
        self.live = live
        self._revoked = revoked

    def revoked(self, _: Principal) -> bool:
        return self._revoked


async def test_a_live_feed_decides_alone():
    async def ask(_):
        raise AssertionError("must not be asked")

    assert await TokenGate(Feed(live=True), ask, ask).admits(principal())
    assert not await TokenGate(Feed(live=True, revoked=True), ask, ask).admits(principal())


async def test_a_lost_feed_asks_auth_and_keeps_the_answer_for_a_moment():
    asked = []

    async def ask(question):
        asked.append(question)
        return TokenAnswer(active=len(asked) == 1)

    gate, someone = TokenGate(Feed(live=False), ask, ask), principal()
    assert await gate.admits(someone)
    assert await gate.admits(someone)
    assert len(asked) == 1
    gate._answers = {key: (at - 1, active) for key, (at, active) in gate._answers.items()}
    assert not await gate.admits(someone)


async def test_auth_is_asked_about_api_keys_too_and_about_the_key_that_signed():
    asked = []

    async def ask(question):
        asked.append(question)
        return TokenAnswer(active=True)

    gate = TokenGate(Feed(live=False), ask, ask)
    await gate.admits(principal(session_id="", api_key_id="k1", token_id="s1"))
    await gate.admits(principal(signing_key_id="signer"))
    assert (asked[0].api_key_id, asked[0].token_id) == ("k1", "s1")
    assert asked[1].signing_key_id == "signer"


async def test_without_feed_and_auth_nobody_is_trusted():
    async def ask(_):
        raise UpstreamError

    with pytest.raises(ServiceUnavailable):
        await TokenGate(Feed(live=False), ask, ask).admits(principal())


async def test_many_tokens_take_one_question_and_answers_are_kept_for_a_moment():
    asked: list[list[str]] = []
    good = [principal() for _ in range(3)]
    bad = principal()

    async def ask(question):
        raise AssertionError("nobody asks about one")

    async def ask_each(questions):
        asked.append([question.token_id for question in questions])
        return [question.token_id != bad.token_id for question in questions]

    gate = TokenGate(Feed(live=False), ask, ask_each)
    assert await gate.admits_each([good[0], bad]) == [True, False]
    assert await gate.admits_each([good[1], bad, good[0], good[2]]) == [True, False, True, True]
    assert await gate.admits_each([bad, good[2]]) == [False, True]
    assert asked == [[good[0].token_id, bad.token_id], [good[1].token_id, good[2].token_id]]
    assert not await gate.admits(bad), "one alone has the same answer"
    assert await TokenGate(Feed(live=True), ask, ask).admits_each(good) == [True, True, True]
    assert await TokenGate(Feed(live=True, revoked=True), ask, ask).admits_each(good) == [False, False, False]


async def test_without_an_answer_about_many_none_is_trusted():
    async def ask_each(_):
        raise UpstreamError

    with pytest.raises(ServiceUnavailable):
        await TokenGate(Feed(live=False), ask_each, ask_each).admits_each([principal()])
