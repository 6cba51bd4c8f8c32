"""A rendered mail → the message that goes over the wire."""

from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from grove.core.clock import now
from grove.core.emails import mailbox, on_the_wire
from grove_notification.mails.rendering import NotRenderable, Rendered

_LINE = 76
"""The longest line with encoded words, which have 75 characters at most (RFC 2047, 2)."""


class _Policy(EmailPolicy):
    """Words of people are encoded by `email.header`: what EmailPolicy makes of long ones reads otherwise, by a space or
    a quote. All else stays whole, such as the address in List-Unsubscribe, on lines as long as SMTP takes them.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if name == "Subject" else super().header_store_parse(name, value)  # `=?` is text in there

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name == "Subject":
            return f"{name}: {_encoded(name, str(value))}\r\n".encode("ascii")
        if name == "From":
            [author] = value.addresses
            return f"{name}: {_author(name, author)}\r\n".encode("ascii")
        return super().fold_binary(name, value)


def _encoded(name: str, words: str) -> str:
    """The words of a header, folded."""
    plain = words.isascii() and "=?" not in words and max(map(len, words.split()), default=0) < _LINE // 2
    header = Header(words, "us-ascii" if plain else "utf-8", maxlinelen=_LINE, header_name=name)
    return header.encode(linesep="\r\n")


def _author(name: str, author: Address) -> str:
    if author.display_name.isascii() and "=?" not in author.display_name:
        return str(author)
    return f"{_encoded(name, author.display_name)}\r\n <{author.addr_spec}>"


_POLICY = _Policy(linesep="\r\n", max_line_length=998, cte_type="7bit")  # in ASCII alone: not every server takes more


class Message(EmailMessage):
    """`return_path`: whom the mail server tells when it can't be delivered. It goes beside the message, not in it."""

    return_path = ""


def compose(
    rendered: Rendered,
    *,
    mail_id: UUID,
    sender: str,
    to: str,
    unsubscribe_url: str | None = None,
    return_path: str = "",
) -> Message:
    """The message. Its Message-ID comes from its id, so that a mail sent twice is the same mail.

    `unsubscribe_url`: takes a POST, without anything else, as mail programs send it (RFC 8058). `return_path`: empty
    for the sender's. Raises NotRenderable.
    """
    message = Message(policy=_POLICY)
    try:
        author = mailbox(sender)
        message.return_path = return_path or author.addr_spec
        message["From"] = author
        message["To"] = Address(addr_spec=on_the_wire(to))
        message["Subject"] = rendered.subject
        message["Date"] = format_datetime(now())
        message["Message-ID"] = f"<{mail_id}@{author.domain}>"
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
