"""What a seal is: some entries, chained one by one to the head of the seal before, and a signature over the result.

Entries may be seen later than their ids say, for a transaction takes a while to commit. So a seal lists its entries,
and says below which id nothing more can come (`complete_below`): that is where the next seal begins to look.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from grove.core.clock import rfc3339
from grove.core.ids import made_at
from grove.security.audit import START, digest
from grove_auth.audit.keys import AuditKeys

MOST = 1000
"""Entries in one seal."""
LATE = timedelta(seconds=15)
"""How late an entry may be seen: a transaction's 5 s, and clocks that differ."""
FIRST = UUID(int=0)
_SIGNED = ("_id", "total", "previous", "head", "newest", "complete_below", "sealed_at", "key")

Seal = dict[str, Any]
"""A document of audit_seals."""


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)  # nothing is older than 1970


def chained(previous: str, document: dict[str, Any]) -> str:
    """The hash of a stored entry that follows one with the hash `previous`."""
    return digest(previous, document.get("entry") or {})


def make(last: Seal | None, entries: Sequence[dict[str, Any]], looked_at: datetime, keys: AuditKeys) -> Seal:
    """The seal after `last` over `entries`, documents in the order of their ids, found by a look at that moment."""
    head = last["head"] if last else START
    hashes: list[str] = []
    for document in entries:
        hashes.append(chained(hashes[-1] if hashes else head, document))
    newest = entries[-1]["_id"]
    complete = first_id(min(looked_at, made_at(newest)) - LATE)  # whichever clock is behind
    seal = {
        "_id": last["_id"] + 1 if last else 1,
        "total": (last["total"] if last else 0) + len(entries),
        "entries": [document["_id"] for document in entries],
        "hashes": hashes,
        "previous": head,
        "head": hashes[-1],
        "newest": newest,
        "complete_below": max(complete, last["complete_below"]) if last else complete,
        "sealed_at": rfc3339(looked_at),
        "key": keys.newest(),
    }
    return seal | {"signature": keys.sign(seal["key"], signed_text(seal))}


def signed_text(seal: Seal) -> bytes:
    """What the signature is over. Entries and hashes are in it by the head."""
    return json.dumps([str(seal.get(name)) for name in _SIGNED], separators=(",", ":")).encode()


def head_of(seal: Seal) -> dict[str, Any]:
    """The seal without its entries: what is kept elsewhere, to prove later that the log is not shorter or another."""
    shown = {name: seal[name] for name in (*_SIGNED, "signature")}
    return {"position": shown.pop("_id")} | {k: str(v) if isinstance(v, UUID) else v for k, v in shown.items()}


def of_head(head: dict[str, Any]) -> Seal:
    """The reverse."""
    return {"_id": head.get("position"), **{name: head.get(name) for name in (*_SIGNED[1:], "signature")}}
