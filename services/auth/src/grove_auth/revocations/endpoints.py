"""What services ask when the feed alone does not do: only over mTLS, only services of the suite."""

from fastapi import APIRouter, Request

from grove.messaging.revocation import Snapshot, TokenAnswer, TokenAnswers, TokenQuestion, TokenQuestions
from grove.web.api_keys import KeyAnswer, KeyQuestion
from grove.web.auth import callers
from grove.web.body import GroveRoute
from grove_auth.deps import ResourcesDep

router = APIRouter(
    prefix="/internal/v1",
    include_in_schema=False,
    route_class=GroveRoute,
    dependencies=[callers()],
)


@router.get("/revocations")
async def revocations(request: Request) -> Snapshot:
    """All revocations in force, and the feed's number."""
    snapshot: Snapshot = await request.app.state.resources.revocations.snapshot()
    return snapshot


@router.post("/introspect")
async def introspect(question: TokenQuestion, resources: ResourcesDep) -> TokenAnswer:
    """Whether a token whose signature the caller verified, or an API key it asked about before, is still good."""
    return TokenAnswer(active=await resources.gate.is_active(question))


@router.post("/introspect/batch")
async def introspect_each(asked: TokenQuestions, resources: ResourcesDep) -> TokenAnswers:
    """The same of several, as services ask about their open connections."""
    return TokenAnswers(active=await resources.gate.are_active(asked.questions))


@router.post("/introspect-key")
async def introspect_key(question: KeyQuestion, resources: ResourcesDep) -> KeyAnswer:
    """Who bears an API key."""
    return await resources.key_bearers.answer(question)
