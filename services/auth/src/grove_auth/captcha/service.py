"""The rules of CAPTCHA."""

from datetime import datetime, timedelta

from grove.core.clock import now
from grove_auth.captcha import proof
from grove_auth.captcha.errors import CaptchaRequired
from grove_auth.captcha.repository import CaptchaRepository
from grove_auth.captcha.schemas import Challenge
from grove_auth.lockout.guesses import Standing, source_of
from grove_auth.one_time_tokens import token_hash
from grove_auth.resources import Resources

KEPT_LONGER = timedelta(hours=1)
"""Longer than any two clocks of the suite differ."""


class CaptchaService:
    """Makes challenges, and asks for their solutions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._solutions = CaptchaRepository()

    async def challenge(self) -> Challenge:
        """A new one."""
        until = now() + timedelta(minutes=self._settings.captcha_minutes)
        made = proof.challenge(self._ring(), self._settings.captcha_difficulty, until)
        return Challenge.model_validate(made.to_dict())

    async def guard(self, email: str, solution: str | None) -> None:
        """A request about an address, where no password is tried. Raises CaptchaRequired."""
        await self.demand(await self._resources.guesses.standing(source_of(email)), solution)

    async def demand(self, standing: Standing, solution: str | None) -> None:
        """Uses the solution up, if one is needed. Raises CaptchaRequired."""
        if not standing.suspicious:
            return
        if solution is None:
            raise CaptchaRequired
        nonce = proof.solved(solution, self._ring())
        if nonce is None or not await self._solutions.use(token_hash(nonce), self._kept_until()):
            raise CaptchaRequired("This solution is wrong, was used, or comes too late. Solve a new challenge.")

    def _kept_until(self) -> datetime:
        return now() + timedelta(minutes=self._settings.captcha_minutes) + KEPT_LONGER

    def _ring(self) -> str:
        return self._settings.secrets.read("signing_key_ring")
