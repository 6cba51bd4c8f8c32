"""Which file a scanner takes next."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from grove.core.clock import now
from grove_resource.attachments.repository import ScanQueue
from grove_resource.models import Attachment

pytestmark = pytest.mark.integration
LEASE = timedelta(seconds=40)


@pytest.fixture
def queue(resources, folder, monkeypatch):
    """Scanning is on; nobody scans."""
    changed = resources.settings.model_copy(update={"clamd_socket": "/nowhere"})
    monkeypatch.setattr(resources, "settings", changed)
    return ScanQueue(resources.sessions, lease=LEASE)


@pytest.fixture
def claims_end(resources):
    """The claims of all files are over, in the order in which they were made."""

    async def claims_end() -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(Attachment).values(scanned_at=Attachment.scanned_at - 2 * LEASE))

    return claims_end


async def test_files_without_a_verdict_keep_no_newer_one_waiting(ada, queue, claims_end):
    url = await ada.task()
    first, second = [(await ada.attached(url))["id"] for _ in range(2)]
    for _ in range(3):  # no scan of these two ends in time
        claimed = [await queue.claim(), await queue.claim()]
        assert [str(each.id) for each in claimed] == [first, second]
        await claims_end()
    newer = [(await ada.attached(url))["id"] for _ in range(2)]
    taken = [await queue.claim() for _ in range(4)]
    assert [str(each.id) for each in taken] == [*newer, first, second]
    assert await queue.claim() is None


async def test_the_claim_reads_its_index_in_order(ada, queue, resources):
    await ada.attached(await ada.task())
    statement = (
        "EXPLAIN SELECT id FROM attachments WHERE state = 'scanning' AND (scanned_at IS NULL OR scanned_at < :moment)"
        " ORDER BY scanned_at NULLS FIRST, created_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    async with resources.sessions.begin() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join((await session.scalars(text(statement), {"moment": now()})).all())
    assert "ix_attachments_scanning" in plan
    assert "Sort" not in plan
