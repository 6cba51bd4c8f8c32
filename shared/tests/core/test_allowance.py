"""So much at once, and then as fast as it comes back."""

from grove.core import allowance as allowance_module
from grove.core.allowance import Allowance


def test_what_was_spent_comes_back(monkeypatch):
    moment = 1000.0
    monkeypatch.setattr(allowance_module.time, "monotonic", lambda: moment)
    allowance = Allowance(at_once=500, per_second=20)
    assert allowance.take(500)
    moment += 1
    assert all(allowance.take(1) for _ in range(20))
    moment += 3600
    assert allowance.take(500)
    assert not allowance.take(1), "never more than that at once"
