import pytest

from grove.core.context import RequestContext, use_context
from grove.core.ids import new_id
from grove.security.audit import START, ChainBroken, audit_entry, link, verify


def chain_of(count: int) -> list:
    previous, rows = START, []
    for number in range(count):
        entry = audit_entry("session.start", "success", actor_id=new_id(), number=str(number))
        previous = link(previous, entry)
        rows.append((entry, previous))
    return rows


def test_an_intact_chain_verifies_to_its_head():
    rows = chain_of(5)
    assert verify(rows) == rows[-1][1]
    assert verify([]) == START


@pytest.mark.parametrize(
    "break_it", [lambda r: r.pop(2), lambda r: r.insert(2, r[4]), lambda r: setattr(r[2][0], "outcome", "failure")]
)
def test_a_missing_inserted_or_changed_entry_shows(break_it):
    rows = chain_of(5)
    break_it(rows)
    with pytest.raises(ChainBroken) as broken:
        verify(rows)
    assert broken.value.position == 3


def test_an_entry_has_the_request_but_no_address_and_no_agent():
    context = RequestContext("r1", client_ip="203.0.113.77", user_agent="Browser/1", method="POST", route="/login")
    with use_context(context):
        entry = audit_entry("session.start", "failure", subject_id="x")
    assert (entry.request_id, entry.method, entry.route, entry.network) == ("r1", "POST", "/login", "203.0.113.0")
    assert "Browser" not in entry.model_dump_json()
    assert "203.0.113.77" not in entry.model_dump_json()
