"""Profile → contract event."""

from grove.contracts.resource import ProfileUpdated
from grove_resource.models import Profile


def updated(profile: Profile, changed: list[str]) -> ProfileUpdated:
    """Fields changed."""
    return ProfileUpdated(user_id=profile.user_id, name=profile.name, changed=changed, updated_at=profile.updated_at)
