"""The sequence of a share's events rises by one: what is told to nobody has no number."""

import pytest

pytestmark = pytest.mark.integration


async def sequences(told) -> list[tuple]:
    return [(fact["type"].split(".")[2], fact["sequence"]) for fact in await told()]


async def test_changes_of_a_share_that_waits_have_no_number(ada, stranger, auth, make, share, told):
    cyd, task = stranger(), await make(ada)
    for role in ("viewer", "editor", "viewer"):
        await share(ada, task, cyd.email, role)
    await auth.registered(cyd)
    await share(ada, task, cyd.email, "editor")
    assert await sequences(told) == [("shared", 2), ("shared", 3)]


async def test_a_share_that_waits_again_goes_on_with_its_number(ada, bob, auth, make, share, told, stranger):
    """Bob moves to another address that the task is shared with too; somebody else then gets the first one."""
    task, cyd, first = await make(ada), stranger(), bob.email
    await share(ada, task, first)
    await share(ada, task, "new@example.com")
    await auth.moved(bob, "new@example.com", sequence=2)
    await auth.registered(cyd, first)
    facts = await told()
    by_share: dict[str, list[int]] = {}
    for fact in facts:
        by_share.setdefault(fact["subject"], []).append(fact["sequence"])
    assert sorted(by_share.values()) == [[1, 2], [2]]


async def test_a_share_that_another_one_of_the_same_user_replaces_has_no_gap(ada, bob, auth, make, share, told):
    task, first = await make(ada), bob.email
    await share(ada, task, first)
    await auth.moved(bob, "new@example.com", sequence=2)
    await share(ada, task, "new@example.com")
    await auth.moved(bob, first, sequence=3)
    facts = [(fact["subject"], fact["sequence"]) for fact in await told()]
    assert [number for _, number in facts] == [1, 1, 2]
    assert facts[2][0] == facts[0][0]
