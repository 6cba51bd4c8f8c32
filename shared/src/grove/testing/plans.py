"""What PostgreSQL goes through to answer a statement of a service."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def scans(node: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Each index that a plan reads, or table, and how many rows it went through."""
    if "Scan" in node["Node Type"] and node["Node Type"] not in {"Subquery Scan", "CTE Scan"}:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        name = node.get("Index Name") or node.get("Relation Name") or node["Node Type"]
        yield name, (node["Actual Rows"] + removed) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from scans(inner)


async def generic_plan(connection: Any, statement: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """The plan by which a session of reads runs the statement: one for all values."""
    await connection.execute(f"PREPARE asked AS {statement}")
    try:
        asked = f"EXECUTE asked ({', '.join(map(_quoted, arguments))})"
        plan: dict[str, Any] = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}"))[0][
            "Plan"
        ]
        return plan
    finally:
        await connection.execute("DEALLOCATE asked")


def _quoted(value: Any) -> str:
    """A value as a literal of SQL, an array as PostgreSQL writes it."""
    if isinstance(value, list):
        value = "{" + ",".join(json.dumps(each) for each in value) + "}"
    return "'" + str(value).replace("'", "''") + "'"
