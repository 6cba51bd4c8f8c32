"""A rendered mail → the message that goes over the wire."""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID

from grove.core.clock import now
from grove_notification.mails.rendering import NotRenderable, Rendered

_POLICY = SMTP.clone(max_line_length=998, cte_type="7bit")
"""The longest line that SMTP takes: the address in List-Unsubscribe is longer than a folded line, and stays whole. In
ASCII alone, for not every server takes more.
"""


def compose(
    rendered: Rendered, *, mail_id: UUID, sender: str, to: str, unsubscribe_url: str | None = None
) -> EmailMessage:
    """The message. Its Message-ID comes from its id, so that a mail sent twice is the same mail.

    `unsubscribe_url`: takes a POST, without anything else, as mail programs send it (RFC 8058). Raises NotRenderable.
    """
    name, address = parseaddr(sender)
    message = EmailMessage(policy=_POLICY)
    if not to.isascii():  # what is known here is in ASCII; a server may take no other
        raise NotRenderable("the address is not in ASCII")
    try:
        message["From"] = Address(name, addr_spec=address)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(now())
        message["Message-ID"] = f"<{mail_id}@{address.rsplit('@', 1)[-1]}>"
        message["Auto-Submitted"] = "auto-generated"
        if unsubscribe_url is not None:
            message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(rendered.text)
        message.add_alternative(rendered.html, subtype="html")
    except (MessageError, ValueError, IndexError) as error:  # an address or a character that no header can have
        raise NotRenderable(f"no message can be made of it: {type(error).__name__}") from None
    message["Content-Language"] = rendered.language  # after the content, which would drop it
    return message
