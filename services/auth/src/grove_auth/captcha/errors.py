"""What can go wrong with a CAPTCHA."""

from grove.core.errors import Forbidden

CHALLENGE_PATH = "/api/v1/auth/captcha/challenge"


class CaptchaRequired(Forbidden):
    """403: a solved challenge must come with the request; the same for known and unknown addresses."""

    code = "CAPTCHA_REQUIRED"
    message = "Solve a challenge of GET /captcha/challenge and repeat the request with the solution as `captcha`."

    def __init__(self, message: str | None = None) -> None:
        """`message`: why the solution that was sent is not enough."""
        super().__init__(message, details=[{"type": "captcha", "challenge": CHALLENGE_PATH}])
