"""Looks whether the audit log is as it was written: all seals, and all entries, in order, a page at a time."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from grove.core.clock import now
from grove.core.ids import made_at
from grove.security.audit import START
from grove_auth.audit import seals
from grove_auth.audit.keys import signed_by
from grove_auth.audit.repository import AuditRepository
from grove_auth.audit.sealer import ALARM_SECONDS
from grove_auth.audit.seals import Seal
from grove_auth.models import AuditSeal
from grove_auth.models.audit_event import copies

SEALS_AT_ONCE = 10
IDS_AT_ONCE = 5000
SHOWN = 100
"""More findings are only counted."""
_FIELDS = {"_id", *AuditSeal.model_fields} - {"id", "revision_id"}


@dataclass(slots=True)
class Report:
    """What was found."""

    seals: int = 0
    entries: int = 0
    waiting: int = 0
    """Entries that are so new that no seal needs to have them."""
    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, finding: str) -> None:
        """Something is wrong."""
        self.wrong += 1
        if self.wrong <= SHOWN:
            self.findings.append(finding)


class Verification:
    """One walk over the log. Only ids of the last seconds before a seal are held, so memory is bounded."""

    def __init__(self, audit: AuditRepository, public: Mapping[str, str], head: Mapping[str, Any] | None) -> None:
        """`public`: the keys that may have signed. `head`: one that was exported before, if there is one."""
        self._audit = audit
        self._public = public
        self._known = seals.of_head(dict(head)) if head is not None else None
        self._report = Report()
        self._last: Seal | None = None
        self._listed: set[UUID] = set()
        self._ids = _Ids(audit)

    async def run(self, progress: Callable[[int], None]) -> Report:
        """Look at everything; `progress` is told the number of each seal that is done."""
        if self._known is not None and not self._signed(self._known):
            self._report.add("The head file bears no valid signature of these keys; it proves nothing.")
        position = 0
        while page := await self._audit.seals_after(position, SEALS_AT_ONCE):
            for seal in page:
                position = seal["_id"]
                if not set(seal) >= _FIELDS:
                    self._report.add(f"Seal {position} was changed: it lacks fields.")
                    continue
                self._look_at_seal(seal)
                await self._look_at_entries(seal)
                self._report.seals += 1
                self._last = seal
                await self._look_for_inserted(seal["complete_below"])
                progress(position)
        self._look_at_end()
        await self._look_for_unsealed()
        return self._report

    def _look_at_seal(self, seal: Seal) -> None:
        position, found = seal["_id"], self._report
        expected = self._last["_id"] + 1 if self._last else 1
        if position != expected:
            found.add(f"Seals {expected} to {position - 1} are missing.")
        elif seal["previous"] != (self._last["head"] if self._last else START):
            found.add(f"Seal {position} does not follow from the one before.")
        if not self._signed(seal):
            found.add(f"Seal {position} bears no valid signature of key {seal['key']}.")
        if not seal["hashes"] or seal["hashes"][-1] != seal["head"] or len(seal["hashes"]) != len(seal["entries"]):
            found.add(f"Seal {position} was changed: its entries do not lead to its head.")
        if self._known is not None and self._known["_id"] == position and self._known["head"] != seal["head"]:
            found.add(f"Seal {position} is another than the head file says.")

    async def _look_at_entries(self, seal: Seal) -> None:
        documents = await self._audit.by_ids(seal["entries"])
        previous = seal["previous"]
        for entry_id, stored in zip(seal["entries"], seal["hashes"], strict=False):
            document = documents.get(entry_id)
            if entry_id in self._listed:
                self._report.add(f"Entry {entry_id} is sealed twice, again in seal {seal['_id']}.")
            if document is None:
                self._report.add(f"Entry {entry_id} of seal {seal['_id']} is missing.")
            elif seals.chained(previous, document) != stored or not _copies_agree(document):
                self._report.add(f"Entry {entry_id} of seal {seal['_id']} was changed.")
            self._listed.add(entry_id)
            previous = stored
            self._report.entries += 1

    async def _look_for_inserted(self, below: UUID) -> None:
        async for entry_id in self._ids.below(below):
            if entry_id not in self._listed:
                self._report.add(f"Entry {entry_id} was inserted later: no seal lists it.")
        self._listed = {entry_id for entry_id in self._listed if entry_id >= below}

    def _look_at_end(self) -> None:
        last = self._last["_id"] if self._last else 0
        known = (self._known["_id"] or 0) if self._known is not None else 0
        if last < known:
            self._report.add(f"The end is cut off: there was a seal {known}, says the head file; the last is {last}.")

    async def _look_for_unsealed(self) -> None:
        """Entries above what the last seal is complete for."""
        async for entry_id in self._ids.below(UUID(int=2**128 - 1)):
            if entry_id in self._listed:
                continue
            if (now() - made_at(entry_id)).total_seconds() < ALARM_SECONDS:
                self._report.waiting += 1
            else:
                self._report.add(f"Entry {entry_id} has no seal: it was inserted, or the sealer does not run.")

    def _signed(self, seal: Seal) -> bool:
        return signed_by(self._public, str(seal["key"]), str(seal["signature"]), seals.signed_text(seal))


class _Ids:
    """The ids of all entries in order, read a page at a time."""

    def __init__(self, audit: AuditRepository) -> None:
        self._audit = audit
        self._last = seals.FIRST
        self._page: list[UUID] = []

    async def below(self, limit: UUID) -> AsyncIterator[UUID]:
        """The next ones, as long as they are below `limit`."""
        while True:
            if not self._page:
                self._page = (await self._audit.ids_after(self._last, IDS_AT_ONCE))[::-1]
            if not self._page or self._page[-1] >= limit:
                return
            self._last = self._page.pop()
            yield self._last


def _copies_agree(document: dict[str, Any]) -> bool:
    """Whether its id, and what it is searched by, are what the entry says."""
    try:
        entry = document["entry"]
        written = {"_id": UUID(entry["id"]), **copies(entry)}
    except (KeyError, TypeError, ValueError):
        return False
    return all(written.get(name) == value for name, value in document.items() if name != "entry")
