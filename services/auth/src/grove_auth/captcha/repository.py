"""Queries on CAPTCHA solutions."""

from datetime import datetime

from pymongo.errors import DuplicateKeyError

from grove_auth.models import CaptchaSolution


class CaptchaRepository:
    """Accepted solutions. In the database, not in the cache: a cache that is lost must not let them in again."""

    async def use(self, challenge: bytes, until: datetime) -> bool:
        """Use a challenge up; False when it was used before."""
        try:
            await CaptchaSolution(id=challenge, expires_at=until).insert()
        except DuplicateKeyError:
            return False
        return True
