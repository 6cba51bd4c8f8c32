"""Sessions against a model of them: hypothesis chooses what happens, in any order, on the real store.

What the model says is what docs/auth.md says: a refresh token has one successor; its parent gets the same answer
for a while; whatever is older ends its family, and that alone; what has ended stays so.
"""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as rules_of_hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from grove.core.clock import now
from grove.core.ids import new_id
from grove_auth.models import User
from grove_auth.one_time_tokens import token_hash

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
GRACE_USES = 2
AN_HOUR = 3600
MOST_SESSIONS = 5
PICK = st.integers(0, 999)


@dataclass
class Modelled:
    """A session as it should be."""

    id: str
    access: str
    newest: str
    parent: str | None = None
    answer: dict[str, Any] | None = None
    """What the parent gets again; None after a changed password, which gives nothing again."""
    replays: int = 0
    in_window: bool = False
    older: list[str] = field(default_factory=list)
    lives: bool = True

    def rotated(self, tokens: dict[str, Any], *, answer: dict[str, Any] | None) -> None:
        self.older += [self.parent] if self.parent else []
        self.parent, self.newest, self.access = self.newest, tokens["refresh_token"], tokens["access_token"]
        self.answer, self.replays, self.in_window = answer, 0, True


class Sessions(RuleBasedStateMachine):
    """One user, some sessions. `loop` runs the app; this runs in a thread beside it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient, resources: Any) -> None:
        super().__init__()
        self.loop, self.client, self.resources = loop, client, resources
        self.sessions: list[Modelled] = []
        self.password, self.passwords = PASSWORD, itertools.count(1)
        self.user: Any = None
        self.dead_access: list[str] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def call(self, method: str, path: str, session: Modelled | None = None, body: Any = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {session.access}"} if session else None
        return self.run(self.client.request(method, AUTH + path, json=body, headers=headers))

    def refresh(self, token: str) -> httpx2.Response:
        return self.call("POST", "/refresh", body={"refresh_token": token})

    def of(self, pick: int, *, living: bool = False) -> Modelled:
        choice = [session for session in self.sessions if session.lives or not living]
        return choice[pick % len(choice)]

    def living(self) -> list[Modelled]:
        return [session for session in self.sessions if session.lives]

    @initialize()
    def account(self) -> None:
        moment = now()
        hashed = self.run(self.resources.passwords.hash(PASSWORD))
        email = f"{new_id().hex}@example.com"
        self.user = User(
            email=email,
            name="Ada",
            password_hash=hashed,
            locale="en",
            timezone="UTC",
            created_at=moment,
            updated_at=moment,
        )
        self.run(self.user.insert())
        self.sign_in()

    @precondition(lambda self: len(self.sessions) < MOST_SESSIONS)
    @rule()
    def sign_in(self) -> None:
        answer = self.call("POST", "/login", body={"email": self.user.email, "password": self.password})
        assert answer.status_code == 200
        tokens = answer.json()
        self.sessions.append(Modelled(tokens["session_id"], tokens["access_token"], tokens["refresh_token"]))

    @rule(pick=PICK)
    def refresh_the_newest(self, pick: int) -> None:
        session = self.of(pick)
        answer = self.refresh(session.newest)
        assert answer.status_code == (200 if session.lives else 401)
        if session.lives:
            tokens = answer.json()
            assert tokens["session_id"] == session.id
            assert tokens["refresh_token"] not in {session.newest, session.parent, *session.older}
            session.rotated(tokens, answer=tokens)

    @precondition(lambda self: any(session.parent for session in self.sessions))
    @rule(pick=PICK)
    def refresh_the_parent(self, pick: int) -> None:
        choice = [session for session in self.sessions if session.parent]
        session = choice[pick % len(choice)]
        answer = self.refresh(session.parent or "")
        if session.lives and session.in_window and session.answer and session.replays < GRACE_USES:
            assert (answer.status_code, answer.json()) == (200, session.answer)
            session.replays += 1
            return
        assert answer.status_code == 401
        told_twice = session.in_window and session.answer is None  # after a changed password: refused, and no more
        session.lives = session.lives and told_twice

    @precondition(lambda self: any(session.older for session in self.sessions))
    @rule(pick=PICK, which=PICK)
    def refresh_an_older_one(self, pick: int, which: int) -> None:
        choice = [session for session in self.sessions if session.older]
        session = choice[pick % len(choice)]
        assert self.refresh(session.older[which % len(session.older)]).status_code == 401
        session.lives = False

    @precondition(lambda self: any(session.in_window for session in self.living()))
    @rule(pick=PICK)
    def the_window_closes(self, pick: int) -> None:
        choice = [session for session in self.living() if session.in_window]
        session = choice[pick % len(choice)]
        late = {"$set": {"rotated_at": now() - timedelta(seconds=AN_HOUR + 1)}}
        self.run(self.resources.database["sessions"].update_one({"_id": session.id}, late))
        session.in_window = False

    @rule(pick=PICK)
    def sign_out(self, pick: int) -> None:
        session = self.of(pick)
        assert self.call("POST", "/logout", session).status_code == (204 if session.lives else 401)
        session.lives = False

    @precondition(lambda self: self.living())
    @rule(pick=PICK, other=PICK)
    def end_one(self, pick: int, other: int) -> None:
        ended = self.of(other)
        answer = self.call("DELETE", f"/sessions/{ended.id}", self.of(pick, living=True))
        assert answer.status_code == (204 if ended.lives else 404)
        ended.lives = False

    @precondition(lambda self: self.living())
    @rule(pick=PICK, which=st.sampled_from(["others", "others", "all"]))
    def end_many(self, pick: int, which: str) -> None:
        session = self.of(pick, living=True)
        assert self.call("DELETE", f"/sessions/{which}", session).status_code == 204
        for each in self.sessions:
            each.lives = each is session and which == "others"

    @precondition(lambda self: self.living())
    @rule(pick=PICK)
    def change_the_password(self, pick: int) -> None:
        session, number = self.of(pick, living=True), next(self.passwords)
        new = f"water tree {number} every {number * 7919} evenings"
        body = {"current_password": self.password, "new_password": new}
        answer = self.call("POST", "/change-password", session, body)
        assert answer.status_code == 200, answer.text
        self.dead_access.append(session.access)
        self.password = new
        session.rotated(answer.json(), answer=None)
        for each in self.sessions:
            each.lives = each is session

    @invariant()
    def the_store_holds_what_lives_each_with_one_token(self) -> None:
        if self.user is None:
            return
        find = self.resources.database["sessions"].find({"user_id": self.user.id}, {"refresh_hash": 1})
        stored = {document["_id"]: document["refresh_hash"] for document in self.run(find.to_list())}
        assert stored == {session.id: token_hash(session.newest) for session in self.living()}

    def teardown(self) -> None:
        for session in self.sessions:
            assert self.call("GET", "/me", session).status_code == (200 if session.lives else 401)
            if not session.lives:
                for token in [session.newest, session.parent or "x", *session.older]:
                    assert self.refresh(token).status_code == 401
        for access in self.dead_access:
            assert self.call("GET", "/me", Modelled("", access, "")).status_code == 401
        self.the_store_holds_what_lives_each_with_one_token()


async def test_sessions_are_as_their_model_says(client, resources, settings, monkeypatch):
    patient = settings.model_copy(update={"refresh_grace_seconds": AN_HOUR, "refresh_grace_uses": GRACE_USES})
    monkeypatch.setattr(resources, "settings", patient)
    loop = asyncio.get_running_loop()
    plan = rules_of_hypothesis(
        max_examples=20,
        stateful_step_count=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # to shrink a failure would take minutes; its steps are printed whole
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, lambda: Sessions(loop, client, resources), settings=plan)
