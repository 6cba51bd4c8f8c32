"""Seals the audit log each second, so that nothing that writes to it waits for the chain."""

from pymongo.errors import PyMongoError

from grove.core.clock import now
from grove.core.ids import made_at
from grove.core.recurring import every
from grove.observability.metrics import AUDIT_UNSEALED_AGE
from grove_auth.audit import seals
from grove_auth.audit.keys import AuditKeys
from grove_auth.audit.repository import AuditRepository

SECONDS = 1
ALARM_SECONDS = 60


class Sealer:
    """Chains and signs what was written. Several may run: a seal's position is written once."""

    def __init__(self, audit: AuditRepository, keys: AuditKeys) -> None:
        self.audit = audit
        self.keys = keys

    async def run(self) -> None:
        """Seal until cancelled."""
        await every(SECONDS, self.seal_all, away=(PyMongoError,))

    async def seal_all(self) -> None:
        """Write seals until nothing is left, some entries at a time."""
        while await self.seal() == seals.MOST:
            continue

    async def seal(self) -> int:
        """Write one seal over what has none yet; how many entries it took, 0 too when another worker was first."""
        moment = now()
        last = await self.audit.last_seal()
        ids = await self.audit.unsealed(last["complete_below"] if last else seals.FIRST, seals.MOST)
        if not ids:
            return 0
        found = await self.audit.by_ids(ids)
        seal = seals.make(last, [found[entry_id] for entry_id in ids], moment, self.keys)
        return len(ids) if await self.audit.insert_seal(seal) else 0

    async def check(self) -> str | None:
        """A health check: entries that wait too long."""
        last = await self.audit.last_seal()
        oldest = await self.audit.unsealed(last["complete_below"] if last else seals.FIRST, 1)
        age = (now() - made_at(oldest[0])).total_seconds() if oldest else 0.0
        AUDIT_UNSEALED_AGE.set(age)
        if age < ALARM_SECONDS:
            return None
        return f"the audit log is not sealed since {age:.0f} s; see whether auth's worker runs, and its log"
