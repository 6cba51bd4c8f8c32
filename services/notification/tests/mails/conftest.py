"""A mail server that does as it is told, workers that send to it, and mails for them."""

import json

import pytest

from grove.contracts.auth import MailRequested
from grove.core.ids import new_id
from grove.testing.smtp import SmtpServer, serving
from grove_notification.mails.sending.sender import MailSender
from grove_notification.resources import Resources


@pytest.fixture
async def server():
    async with serving(SmtpServer()) as server:
        yield server


@pytest.fixture
async def worker(settings, resources, server):
    """Makes workers that send to the server, each with resources of its own."""
    made: list[tuple[Resources, MailSender]] = []

    def worker(**changes) -> MailSender:
        own = Resources(settings.model_copy(update={"smtp_port": server.port, "mail_retry_seconds": [0] * 5} | changes))
        made.append((own, MailSender(own)))
        return made[-1][1]

    yield worker
    for own, each in made:
        await each.aclose()
        await own.aclose()


@pytest.fixture
def ask(resources, happen):
    async def ask(to: str = "ada@example.com") -> str:
        """The Message-ID of a mail that is queued now."""
        mail_id = new_id()
        content = {"to": to, "variables": {"name": "Ada", "code": "123456", "minutes": 5}}
        sealed = resources.mail_cipher.seal(json.dumps(content), purpose=f"mail:{mail_id}")
        await happen("auth", MailRequested(mail_id=mail_id, template="mfa_code", locale="en", sealed=sealed))
        return f"<{mail_id}@grove.example>"

    return ask
