"""Runs SecantusDB, with three limits that it lacks and a mongod has.

A TLS handshake: it waits without end, on the thread that accepts connections, so that one client that connects and
then says nothing would keep everybody else out.

An abandoned transaction: it looks for these only when the next statement of another one arrives. Writes outside
transactions wait for it meanwhile, and with them everybody who wants the same collection, so that the next statement
may never arrive.

A write that waits for a transaction: it ignores `maxTimeMS` there.
"""

import socket
import ssl
import sys
import threading
import time
from typing import Any

from secantus import cli, deadline, server, storage
from secantus.transactions import TransactionRegistry, TxnState

HANDSHAKE_SECONDS = 2.0
TRANSACTION_SECONDS = 10.0
"""Between two statements of a transaction. Services give up after 5."""
FINISHED_SECONDS = 120.0
"""How long an ended transaction is remembered, for a commit that is sent again."""
LOOK_SECONDS = 1.0

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

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
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
    vars(server)["TransactionRegistry"] = Transactions
    vars(storage)["_time"] = _Clock()
    sys.exit(cli.main())
