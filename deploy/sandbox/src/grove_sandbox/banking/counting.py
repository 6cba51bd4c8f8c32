"""What the bank counts, to tell a good client from a bad one."""

from collections import Counter, defaultdict, deque

WINDOW_SECONDS = 1.0


class Window:
    """Calls of the last second. `most`: the largest number there ever was."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque()
        self.most = 0

    def add(self, moment: float) -> int:
        """Count a call; how many there are in the second that ends with it."""
        self._moments.append(moment)
        while self._moments[0] <= moment - WINDOW_SECONDS:
            self._moments.popleft()
        self.most = max(self.most, len(self._moments))
        return len(self._moments)


class Counts:
    """Since the start, or since they were last forgotten."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.refreshes: Counter[str] = Counter()
        self.used_twice: Counter[str] = Counter()
        self.exceeded = 0
        self.all = Window()
        self.customers: defaultdict[str, Window] = defaultdict(Window)

    def shown(self) -> dict[str, object]:
        """As `GET /control/bank` tells it."""
        return {
            "calls": self.calls,
            "exceeded": self.exceeded,
            "most_in_a_second": {
                "all": self.all.most,
                "customers": {name: window.most for name, window in self.customers.items()},
            },
            "refreshes": self.refreshes,
            "refresh_tokens_used_twice": {"count": self.used_twice.total(), "customers": self.used_twice},
            "faults": self.faults,
        }
