"""How facts about tasks are told."""

from grove.contracts import resource
from grove_notification.texts import Texts
from grove_notification.wording.words import Wording, Words

_Task = (
    resource.TaskCreated
    | resource.TaskUpdated
    | resource.TaskCompleted
    | resource.TaskReopened
    | resource.TaskDeleted
    | resource.TaskRestored
    | resource.TaskShared
    | resource.TaskReminderDue
)


def _about(fact: _Task, kind: str, title: str, message: str) -> Wording:
    """A permanently deleted task has nothing left to lead to."""
    gone = isinstance(fact, resource.TaskDeleted) and fact.permanent
    return Wording(kind, title, message, None if gone else f"/api/v1/tasks/{fact.task_id}", fact.task_id)


def _created(fact: resource.TaskCreated, t: Texts) -> Wording:
    return _about(fact, "TASK_CREATED", t("Task created"), t("“{title}” was created.", title=fact.title))


def _updated(fact: resource.TaskUpdated, t: Texts) -> Wording:
    """What changed too, as far as we have words for it: the resource service may know more fields than we."""
    named = {
        "title": t("title"),
        "description": t("description"),
        "due_at": t("due date"),
        "priority": t("priority"),
        "tags": t("tags"),
        "parent_id": t("parent task"),
        "recurrence": t("recurrence"),
    }
    fields = ", ".join(named[field] for field in fact.changed if field in named)
    message = (
        t("“{title}” was changed: {fields}.", title=fact.title, fields=fields)
        if fields
        else t("“{title}” was changed.", title=fact.title)
    )
    return _about(fact, "TASK_UPDATED", t("Task changed"), message)


def _completed(fact: resource.TaskCompleted, t: Texts) -> Wording:
    return _about(fact, "TASK_COMPLETED", t("Task completed"), t("“{title}” is done.", title=fact.title))


def _reopened(fact: resource.TaskReopened, t: Texts) -> Wording:
    return _about(fact, "TASK_PENDING", t("Task reopened"), t("“{title}” is pending again.", title=fact.title))


def _deleted(fact: resource.TaskDeleted, t: Texts) -> Wording:
    return _about(fact, "TASK_DELETED", t("Task deleted"), t("“{title}” was deleted.", title=fact.title))


def _restored(fact: resource.TaskRestored, t: Texts) -> Wording:
    return _about(fact, "TASK_RESTORED", t("Task restored"), t("“{title}” is back.", title=fact.title))


def _shared(fact: resource.TaskShared, t: Texts) -> Wording:
    may = {
        "viewer": t("You can view “{title}”.", title=fact.title),
        "editor": t("You can view and edit “{title}”.", title=fact.title),
    }
    return _about(fact, "TASK_SHARED", t("A task is shared with you"), may[fact.role])


def _reminder(fact: resource.TaskReminderDue, t: Texts) -> Wording:
    message = (
        t("“{title}” is due on {time}.", title=fact.title, time=t.time(fact.due_at))
        if fact.due_at
        else t("“{title}”.", title=fact.title)
    )
    return _about(fact, "TASK_REMINDER", t("Reminder"), message)


WORDS: Words = {
    resource.TaskCreated: _created,
    resource.TaskUpdated: _updated,
    resource.TaskCompleted: _completed,
    resource.TaskReopened: _reopened,
    resource.TaskDeleted: _deleted,
    resource.TaskRestored: _restored,
    resource.TaskShared: _shared,
    resource.TaskReminderDue: _reminder,
}
