"""The names of fields in GraphQL."""

_ARGUMENTS = {"size": "first", "cursor": "after"}
_PREFIXES = {"query.": "", "body.": "input."}


def camel(name: str) -> str:
    """`due_at` as `dueAt`."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def in_graphql(field: str) -> str:
    """What REST calls `body.due_at` or `query.cursor`, as an argument here."""
    for prefix, replacement in _PREFIXES.items():
        if field.startswith(prefix):
            name, *others = field.removeprefix(prefix).split(".")
            return ".".join([replacement + camel(_ARGUMENTS.get(name, name)), *others])
    return field
