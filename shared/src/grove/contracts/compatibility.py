"""Whether a changed event schema still suits the consumers of the old one."""

from typing import Any


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What of `new` (event type → JSON Schema) would break a consumer of `old`, in sentences."""
    problems: list[str] = []
    for event_type, before in old.items():
        after = new.get(event_type)
        if after is None:
            problems.append(f"{event_type} is gone")
            continue
        problems += [f"{event_type}: {problem}" for problem in _object_changes(before, after)]
    return problems


def _object_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    problems = []
    was, now = before.get("properties", {}), after.get("properties", {})
    for name, schema in was.items():
        if name not in now:
            problems.append(f"field {name} is gone")
        elif _shape(schema) != _shape(now[name]):
            problems.append(f"field {name} changed from {_shape(schema)} to {_shape(now[name])}")
    problems += [
        f"field {name} is no longer always there"
        for name in sorted(set(before.get("required", [])) - set(after.get("required", [])))
        if name in now
    ]
    problems += [
        f"new field {name} is required: older stored events lack it"
        for name in sorted(set(after.get("required", [])) - set(was))
    ]
    return problems


def _shape(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what only describes it; a longer enum is a change, as old readers refuse it."""
    return {key: value for key, value in schema.items() if key not in {"title", "description", "default"}}
