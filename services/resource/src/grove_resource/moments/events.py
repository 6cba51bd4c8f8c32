"""Moment → contract event."""

from grove.contracts import resource
from grove_resource.models import Moment


def logged(moment: Moment) -> resource.MomentLogged:
    """A moment was logged."""
    return resource.MomentLogged(
        moment_id=moment.id,
        activity_id=moment.activity_id,
        user_id=moment.user_id,
        occurred_at=moment.occurred_at,
        logged_at=moment.created_at,
    )


def updated(moment: Moment, changed: list[str]) -> resource.MomentUpdated:
    """Fields changed."""
    return resource.MomentUpdated(
        moment_id=moment.id,
        activity_id=moment.activity_id,
        user_id=moment.user_id,
        occurred_at=moment.occurred_at,
        changed=changed,
        updated_at=moment.updated_at,
    )


def deleted(moment: Moment) -> resource.MomentDeleted:
    """A moment is gone."""
    return resource.MomentDeleted(
        moment_id=moment.id,
        activity_id=moment.activity_id,
        user_id=moment.user_id,
        occurred_at=moment.occurred_at,
        deleted_at=moment.updated_at,
    )
