"""Every router of the service."""

from fastapi import APIRouter

from grove_resource.tasks import endpoints as tasks

ROUTERS: tuple[APIRouter, ...] = (tasks.router,)
