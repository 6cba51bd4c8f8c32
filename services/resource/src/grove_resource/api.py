"""Every router of the service."""

from fastapi import APIRouter

from grove_resource.activities import endpoints as activities
from grove_resource.attachments import endpoints as attachments
from grove_resource.exports import endpoints as exports
from grove_resource.graphql import endpoints as graphql
from grove_resource.moments import endpoints as moments
from grove_resource.profiles import endpoints as profiles
from grove_resource.profiles import photo_endpoints as photos
from grove_resource.reminders import endpoints as reminders
from grove_resource.search import endpoints as search
from grove_resource.shares import endpoints as shares
from grove_resource.tags import endpoints as tags
from grove_resource.tasks import endpoints as tasks

ROUTERS: tuple[APIRouter, ...] = (
    tasks.router,
    tags.router,
    shares.router,
    reminders.router,
    attachments.router,
    activities.router,
    moments.router,
    profiles.router,
    photos.router,
    search.router,
    exports.router,
    graphql.router,
)
