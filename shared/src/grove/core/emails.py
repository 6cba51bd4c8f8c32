"""E-mail addresses in one spelling, so that every service compares the same text."""

from email.errors import ObsoleteHeaderDefect
from email.headerregistry import Address
from email.policy import SMTP
from typing import Annotated, Any

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import AfterValidator, Field


def _valid(text: str) -> ValidatedEmail:
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None


def _one_spelling(text: str) -> str:
    return _valid(text).normalized.lower()


Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.com"]), AfterValidator(_one_spelling)]
"""An address as people read it, all in lower case: an international domain is in Unicode (NFC), however it was spelled,
so `ada@xn--mller-kva.de` is `ada@müller.de`. Before the `@` is ASCII alone: few servers take more.
"""


def on_the_wire(address: str) -> str:
    """The address in ASCII, as every mail server takes it: its domain as IDNA. One that is in ASCII is not looked at.

    Raises ValueError when there is no such form.
    """
    if address.isascii():
        return address
    valid = _valid(address)
    return f"{valid.local_part}@{valid.ascii_domain}"


def mailbox(text: str) -> Address:
    """One address with or without a name, `Grove <no-reply@example.com>`; the address in ASCII.

    Raises ValueError, saying how to write it.
    """
    header: Any = SMTP.header_factory("From", text)
    wrong = [defect for defect in header.defects if not isinstance(defect, ObsoleteHeaderDefect)]
    if wrong or len(header.addresses) != 1 or header.groups[0].display_name is not None:
        raise ValueError(
            f"{text!r} is not one address: write `no-reply@example.com`, `Example <no-reply@example.com>`, or with "
            'other characters in the name than letters, digits and spaces `"Example, Inc." <no-reply@example.com>`.'
        )
    [found] = header.addresses
    return Address(found.display_name, addr_spec=on_the_wire(found.addr_spec))
