"""Attachments as JSON."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from pydantic import Field

from grove.core.schema import Moment

if TYPE_CHECKING:
    from grove_resource.models import Attachment


class AttachmentState(StrEnum):
    """Whether a file can be downloaded."""

    SCANNING = "scanning"
    AVAILABLE = "available"
    QUARANTINED = "quarantined"


@dataclass(slots=True, kw_only=True)
class AttachmentRead:
    """What is known of a task's file. `content_type` is what its bytes say; `url` is where they are."""

    id: UUID
    task_id: UUID
    name: Annotated[str, Field(examples=["Plan of the garden.pdf"])]
    content_type: Annotated[str, Field(examples=["application/pdf"])]
    size: Annotated[int, Field(description="In bytes", examples=[48213])]
    state: AttachmentState
    created_at: Moment
    url: Annotated[
        str,
        Field(
            examples=[
                "/api/v1/tasks/0198c1e5-7d3a-7c3e-9b1a-2f6f0d1c4b5a/attachments/0198c1e6-02b7-7f10-8a54-9d3c5e7f1a2b"
            ]
        ),
    ]

    @classmethod
    def of(cls, attachment: "Attachment") -> "AttachmentRead":
        """From a row that was just written; it is known to fit, and not validated a second time."""
        return cls(
            id=attachment.id,
            task_id=attachment.task_id,
            name=attachment.name,
            content_type=attachment.content_type,
            size=attachment.size,
            state=AttachmentState(attachment.state),
            created_at=attachment.created_at,
            url=f"/api/v1/tasks/{attachment.task_id}/attachments/{attachment.id}",
        )
