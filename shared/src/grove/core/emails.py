"""E-mail addresses in one spelling, so that every service compares the same text."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field


def _one_spelling(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.com"]), AfterValidator(_one_spelling)]
"""An address: the domain as IDNA, all in lower case."""
