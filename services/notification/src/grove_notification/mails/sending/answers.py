"""What a mail server's refusal means, and how it is written down."""

import re
import unicodedata

import aiosmtplib

from grove_notification.mails.addresses import masked

MOST = 500
"""Characters of a reason that are kept."""

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_MAILBOX = {550, 551, 553}
_OF_THE_SENDER = {"7", "8"}
_ADDRESS = re.compile(r"[^\s<>@\"',;:()]+@[^\s<>@\"',;:()]+")


def is_bounce(error: aiosmtplib.SMTPResponseException) -> bool:
    """Whether the mailbox is refused, for good: not the relay, a policy, the content or the sender.

    An enhanced status says it (RFC 3463: x.1.x addresses but for the sender's, x.2.x mailboxes); without one the codes
    of RCPT do.
    """
    if error.code < 500 or isinstance(error, aiosmtplib.SMTPSenderRefused):
        return False
    status = _ENHANCED.match(error.message)
    if status is None:
        return isinstance(error, aiosmtplib.SMTPRecipientRefused) and error.code in _NO_MAILBOX
    kind, subject, detail = status.groups()
    return kind == "5" and (subject == "2" or (subject == "1" and detail not in _OF_THE_SENDER))


def reason_of(error: Exception) -> str:
    """For operators and the log: what the server said, or what was in the way. Servers like to repeat the address, and
    say bytes that no text has.
    """
    said = f"{error.code} {error.message}" if isinstance(error, aiosmtplib.SMTPResponseException) else str(error)
    whole = f"{type(error).__name__}: {said}".encode("utf-8", "replace").decode()
    printable = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in whole)
    return _ADDRESS.sub(lambda found: masked(found[0]), printable)[:MOST]
