"""Activity → contract event."""

from grove.contracts import resource
from grove_resource.models import Activity


def created(activity: Activity) -> resource.ActivityCreated:
    """An activity was defined."""
    return resource.ActivityCreated(
        activity_id=activity.id, user_id=activity.user_id, name=activity.name, created_at=activity.created_at
    )


def updated(activity: Activity, changed: list[str]) -> resource.ActivityUpdated:
    """Fields changed."""
    return resource.ActivityUpdated(
        activity_id=activity.id,
        user_id=activity.user_id,
        name=activity.name,
        changed=changed,
        schema_version=activity.schema_version,
        updated_at=activity.updated_at,
    )


def deleted(activity: Activity) -> resource.ActivityDeleted:
    """An activity is gone, and its moments with it."""
    return resource.ActivityDeleted(
        activity_id=activity.id, user_id=activity.user_id, name=activity.name, deleted_at=activity.updated_at
    )
