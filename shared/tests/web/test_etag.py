import pytest

from grove.core.errors import PreconditionFailed
from grove.core.ids import new_id
from grove.web.etag import Conditions, etag


def test_conditions_of_rfc_9110():
    task = new_id()
    old, present = etag(task, 1), etag(task, 2)
    assert old != present
    Conditions(None, None).require(present)
    Conditions(f"{old}, {present}", None).require(present)
    Conditions("*", None).require(present)
    with pytest.raises(PreconditionFailed) as failed:
        Conditions(old, None).require(present)
    assert failed.value.headers["ETag"] == present
    assert Conditions(None, present).unchanged(present)
    assert Conditions(None, f"W/{present}").unchanged(present)
    assert Conditions(None, "*").unchanged(present)
    assert not Conditions(None, old).unchanged(present)
    assert not Conditions(None, None).unchanged(present)
