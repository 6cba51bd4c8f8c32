"""Lists of mails: what they show, their filters and order."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Text, bindparam, case, func

from grove.core.emails import Email
from grove.core.schema import Moment
from grove.postgres.json_rows import JsonRow, constant
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_notification.mails.catalogue import TEMPLATES, Kind
from grove_notification.mails.rendering import DOMAIN
from grove_notification.mails.schemas import TEMPLATE_NAME, AdminMailRead, MailRead, MailStatus
from grove_notification.models import Mail
from grove_notification.texts import LANGUAGES, Texts

ORDERS = Keyset({"created_at": Sortable(Mail.created_at, parse_time)}, tie=Mail.id)


def _subjects(language: str) -> ColumnElement[str]:
    texts = Texts(language, "UTC", DOMAIN)
    return case(
        *((Mail.template == constant(each.name), constant(texts(each.subject))) for each in TEMPLATES.values()),
        else_=Mail.template,
    )


_LANGUAGE = func.split_part(func.replace(Mail.locale, constant("_"), constant("-")), constant("-"), 1, type_=Text)
_SUBJECT = func.coalesce(
    Mail.subject,
    case(
        *((func.lower(_LANGUAGE) == constant(each), _subjects(each)) for each in LANGUAGES if each != "en"),
        else_=_subjects("en"),
    ),
    type_=Text,
)
_OWN: dict[str, Any] = {
    "id": Mail.id,
    "template": Mail.template,
    "subject": _SUBJECT,
    "status": Mail.status,
    "created_at": Mail.created_at,
    "sent_at": Mail.sent_at,
}
MAIL_JSON = JsonRow(Mail, MailRead, _OWN)
ADMIN_MAIL_JSON = MAIL_JSON.extended(
    AdminMailRead,
    {
        "kind": Mail.kind,
        "user_id": Mail.user_id,
        "masked": Mail.masked,
        "locale": Mail.locale,
        "attempts": Mail.attempts,
        "due_at": Mail.due_at,
        "last_error": Mail.last_error,
        "bounced_at": Mail.bounced_at,
    },
)
FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Mail.user_id == bindparam("user_id"),
    "status": Mail.status == bindparam("status"),
    "template": Mail.template == bindparam("template"),
    "kind": Mail.kind == bindparam("kind"),
    "macs": Mail.address_mac == func.any(bindparam("macs")),
    "date_from": Mail.created_at >= bindparam("date_from"),
    "date_to": Mail.created_at < bindparam("date_to"),
}


class MailQuery(ListQuery):
    """What the list of one's own mails can be asked for."""

    status: Annotated[MailStatus | None, Field(description="Only these")] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        return {} if self.status is None else {"status": self.status.value}


class AdminMailQuery(MailQuery):
    """What operators can ask for."""

    template: Annotated[str | None, Field(pattern=TEMPLATE_NAME, description="Only of this template")] = None
    kind: Annotated[Kind | None, Field(description="Only of this kind")] = None
    user_id: Annotated[UUID | None, Field(description="Only to this user")] = None
    address: Annotated[Email | None, Field(description="Only to this address, exactly")] = None
    date_from: Annotated[Moment | None, Field(description="Queued then or later")] = None
    date_to: Annotated[Moment | None, Field(description="Queued before")] = None

    @model_validator(mode="after")
    def _some_time(self) -> "AdminMailQuery":
        if self.date_from and self.date_to and self.date_from >= self.date_to:
            raise ValueError("date_from must be before date_to")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values; an address is looked for by its hashes."""
        named = {name: getattr(self, name) for name in ("template", "kind", "user_id", "date_from", "date_to")}
        return super().given | {name: value for name, value in named.items() if value is not None}
