"""How services ask auth about several tokens, whatever auth's version is."""

import httpx2
import pytest
from fastapi import FastAPI

from grove.core.errors import UpstreamError
from grove.core.ids import new_id
from grove.messaging.revocation import TokenAnswer, TokenAnswers, TokenQuestion, TokenQuestions
from grove.service.resources import SignIn
from grove.web.client import HttpClient


def questions(*versions: int) -> list[TokenQuestion]:
    """About tokens that are good if their version is above 0."""
    return [
        TokenQuestion(
            user_id=new_id(),
            session_id="s",
            version=version,
            global_version=1,
            token_id=str(new_id()),
            signing_key_id="k",
            api_key_id="",
        )
        for version in versions
    ]


def sign_in(auth: FastAPI) -> SignIn:
    found = SignIn.__new__(SignIn)
    found._auth = HttpClient(
        "auth", httpx2.AsyncClient(transport=httpx2.ASGITransport(app=auth), base_url="https://auth")
    )
    return found


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def old(asked) -> FastAPI:
    """An auth that answers about one at a time."""
    app = FastAPI()

    @app.post("/internal/v1/introspect")
    async def introspect(question: TokenQuestion) -> TokenAnswer:
        asked.append("one")
        return TokenAnswer(active=question.version > 0)

    return app


async def test_many_are_asked_about_at_once(old, asked):
    @old.post("/internal/v1/introspect/batch")
    async def introspect_each(given: TokenQuestions) -> TokenAnswers:
        asked.append("many")
        return TokenAnswers(active=[question.version > 0 for question in given.questions])

    assert list(await sign_in(old)._introspect_each(questions(1, 0, 2))) == [True, False, True]
    assert asked == ["many"]


async def test_an_older_auth_is_asked_about_each(old, asked):
    assert list(await sign_in(old)._introspect_each(questions(1, 0, *[3] * 40))) == [True, False, *[True] * 40]
    assert asked == ["one"] * 42


async def test_an_answer_that_leaves_some_out_is_none(old):
    @old.post("/internal/v1/introspect/batch")
    async def introspect_each() -> TokenAnswers:
        return TokenAnswers(active=[True])

    with pytest.raises(UpstreamError):
        await sign_in(old)._introspect_each(questions(1, 1))
