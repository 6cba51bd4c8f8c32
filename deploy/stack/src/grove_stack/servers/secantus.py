"""Runs SecantusDB, with three limits that it lacks and a mongod has.

A TLS handshake: it waits without end, on the thread that accepts connections, so that one client that connects and
then says nothing would keep everybody else out.

An abandoned transaction: it looks for these only when the next statement of another one arrives. Writes outside
transactions wait for it meanwhile, and with them everybody who wants the same collection, so that the next statement
may never arrive.

A write that waits for a transaction: it ignores `maxTimeMS` there.

And it keeps in memory what it would read from its tables at each command, roles and the profiler's settings, and
removes expired documents more often than once a minute, since tests wait for that.
"""

import copy
import socket
import ssl
import sys
import threading
import time
from typing import Any

from secantus import cli, deadline, server, storage
from secantus.storage import Storage
from secantus.transactions import TransactionRegistry, TxnState

HANDSHAKE_SECONDS = 2.0
TRANSACTION_SECONDS = 10.0
"""Between two statements of a transaction. Services give up after 5."""
FINISHED_SECONDS = 120.0
"""How long an ended transaction is remembered, for a commit that is sent again."""
LOOK_SECONDS = 1.0
SWEEP_SECONDS = 5.0

_wrap_socket = ssl.SSLContext.wrap_socket


def _within_limit(context: ssl.SSLContext, sock: socket.socket, *words: Any, **options: Any) -> ssl.SSLSocket:
    sock.settimeout(HANDSHAKE_SECONDS)  # for the handshake; the server sets its own afterwards
    return _wrap_socket(context, sock, *words, **options)


class Transactions(TransactionRegistry):  # type: ignore[misc]
    """Ends abandoned transactions on a thread of its own instead of at each statement of another."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"lifetime_seconds": TRANSACTION_SECONDS})
        threading.Thread(target=self._look, name="transactions", daemon=True).start()

    def _prune_locked(self) -> int:
        return 0

    def _prune_retryable_locked(self) -> None:
        """Not at each write: it looks through all records of the last half hour."""

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                super()._prune_retryable_locked()
                transactions = list(self._txns.items())
            for session, transaction in transactions:
                self._end(session, transaction)

    def _end(self, session: bytes, transaction: Any) -> None:
        if not transaction.mutex.acquire(blocking=False):
            return  # a statement is under way
        try:
            quiet = self._time() - transaction.last_use
            if transaction.state is TxnState.IN_PROGRESS and quiet > TRANSACTION_SECONDS:
                self.abort_in_progress(transaction)
        finally:
            transaction.mutex.release()
        if transaction.state is not TxnState.IN_PROGRESS and quiet > FINISHED_SECONDS:
            with self._lock:
                if self._txns.get(session) is transaction:
                    del self._txns[session]


class Store(Storage):  # type: ignore[misc]
    """Remembers roles and the profiler's settings until they change, and sweeps more often."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self._roles: dict[tuple[str, str], Any] = {}
        self._profiles: dict[str, Any] = {}
        super().__init__(*words, **options | {"ttl_sweep_seconds": SWEEP_SECONDS})

    def get_role(self, db: str, name: str) -> Any:
        if (db, name) not in self._roles:
            self._roles[db, name] = super().get_role(db, name)
        return copy.deepcopy(self._roles[db, name])

    def add_role(self, *words: Any, **options: Any) -> Any:
        try:
            return super().add_role(*words, **options)
        finally:
            self._roles.clear()

    def drop_role(self, *words: Any, **options: Any) -> Any:
        try:
            return super().drop_role(*words, **options)
        finally:
            self._roles.clear()

    def get_profile(self, db: str) -> Any:
        if db not in self._profiles:
            self._profiles[db] = super().get_profile(db)
        return dict(self._profiles[db])

    def set_profile(self, *words: Any, **options: Any) -> Any:
        try:
            return super().set_profile(*words, **options)
        finally:
            self._profiles.clear()


class _Clock:
    """`time`, but who sleeps until a conflict is over wakes up when their time is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        left = deadline.remaining_ms()
        if left is not None and left <= 0:
            raise deadline.MaxTimeMSExpired
        time.sleep(seconds)


if __name__ == "__main__":
    ssl.SSLContext.wrap_socket = _within_limit  # type: ignore[method-assign,assignment]
    vars(server)["Storage"] = Store
    vars(server)["TransactionRegistry"] = Transactions
    vars(storage)["_time"] = _Clock()
    sys.exit(cli.main())
