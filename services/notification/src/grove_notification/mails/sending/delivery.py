"""One try of one mail: what is sent, and what the server makes of it."""

import json
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from grove.security.encryption import DecryptionFailed, FieldCipher
from grove_notification.mails.queue import purpose_of
from grove_notification.mails.rendering import Links, NotRenderable, render
from grove_notification.mails.repository import NOTICES
from grove_notification.mails.sending.answers import is_bounce, reason_of
from grove_notification.mails.sending.connection import SmtpConnection, Unreachable
from grove_notification.mails.sending.leasing import Lease, LeaseLost
from grove_notification.mails.sending.message import Message, compose
from grove_notification.models import Mail
from grove_notification.settings import NotificationSettings
from grove_notification.unsubscribing.links import Unsubscribing, one_click_url, page_url


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try. `queued`: it is worth another one. `untried`: there was none, for there is no server."""

    status: Literal["sent", "queued", "failed", "bounced", "untried"]
    reason: str | None = None


class Delivery:
    """Tries mails; writes nothing down."""

    def __init__(self, settings: NotificationSettings, cipher: FieldCipher) -> None:
        self._settings = settings
        self._cipher = cipher
        self._links = Links(settings.link_base_url, settings.link_app_url)

    async def attempt(self, lease: Lease, connection: SmtpConnection) -> Outcome:
        """Hand a mail to the mail server. Raises LeaseLost when it is not ours any more before its content goes."""
        try:
            await connection.send(self._message(lease.mail, lease.address), on_content=lease.hand_over)
        except LeaseLost:
            raise
        except Unreachable as error:
            return Outcome("untried", str(error))
        except (DecryptionFailed, NotRenderable) as error:
            return Outcome("failed", reason_of(error))
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            if is_bounce(error):
                return Outcome("bounced", reason_of(error))
            return Outcome("failed" if error.code >= 500 else "queued", reason_of(error))
        except Exception as error:  # noqa: BLE001 - the server, the network: other mails go on
            return Outcome("queued", reason_of(error))
        return Outcome("sent")

    def _message(self, mail: Mail, address: str | None) -> Message:
        """`address`: a notice's; other mails bear their own. Raises DecryptionFailed or NotRenderable."""
        settings = self._settings
        content = json.loads(self._cipher.open(mail.sealed or "", purpose=purpose_of(mail.id)))
        token = self._unsubscribe_token(mail)
        rendered = render(
            mail.template,
            locale=mail.locale,
            links=self._links,
            variables=content["variables"],
            subject=mail.subject,
            unsubscribe_url=page_url(settings.link_base_url, token) if token else None,
        )
        return compose(
            rendered,
            mail_id=mail.id,
            sender=settings.mail_from,
            return_path=settings.mail_return_path,
            to=address or content["to"],
            unsubscribe_url=one_click_url(settings.public_api_url, token) if token else None,
        )

    def _unsubscribe_token(self, mail: Mail) -> str | None:
        """Notices alone can be switched off."""
        if mail.kind not in NOTICES or mail.user_id is None:
            return None
        return Unsubscribing(mail.user_id, mail.notification_type).token(self._cipher)
