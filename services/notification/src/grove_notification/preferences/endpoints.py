"""Preference routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.web.answers import json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, content_etag
from grove_notification.deps import NotificationReader, NotificationWriter, ReadsDep, WriteSession
from grove_notification.preferences.repository import PreferencesQueries, PreferencesRepository
from grove_notification.preferences.schemas import PreferencesRead, PreferencesReplace
from grove_notification.preferences.service import PreferencesService

router = APIRouter(
    prefix="/api/v1/notification-preferences",
    tags=["preferences"],
    route_class=GroveRoute,
    responses=error_responses(412),
)


async def _service(user: NotificationWriter, session: WriteSession) -> PreferencesService:
    return PreferencesService(PreferencesRepository(session, user.user_id))


@router.get("", response_model=PreferencesRead, responses={304: {"description": "You have this version"}})
async def get_preferences(user: NotificationReader, reads: ReadsDep, conditions: RequestConditions) -> Response:
    """Read how you want to be told: every type with its channels, quiet hours, digest."""
    content = PreferencesRead.of(*await PreferencesQueries(reads, user.user_id).get()).model_dump_json()
    tag = content_etag(content)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(content, headers={"ETag": tag})


@router.put("", response_model=PreferencesRead)
async def replace_preferences(
    data: PreferencesReplace,
    preferences: Annotated[PreferencesService, Depends(_service)],
    conditions: RequestConditions,
) -> Response:
    """Replace how you want to be told. What waits because of the old choice follows the new one.

    What GET answered can be sent back; `timezone` is not changed here.
    """
    content = (await preferences.replace(data, conditions)).model_dump_json()
    return json_text(content, headers={"ETag": content_etag(content)})
