"""Runs SecantusDB, with a limit for TLS handshakes.

It shakes hands on the thread that accepts connections and waits without end: one client that connects and then says
nothing, or dies on a busy machine before it is through, would keep everybody else out.
"""

import socket
import ssl
import sys
from typing import Any

from secantus import cli

HANDSHAKE_SECONDS = 2.0

_wrap_socket = ssl.SSLContext.wrap_socket


def _within_limit(context: ssl.SSLContext, sock: socket.socket, *words: Any, **options: Any) -> ssl.SSLSocket:
    sock.settimeout(HANDSHAKE_SECONDS)  # for the handshake; the server sets its own afterwards
    return _wrap_socket(context, sock, *words, **options)


if __name__ == "__main__":
    ssl.SSLContext.wrap_socket = _within_limit  # type: ignore[method-assign,assignment]
    sys.exit(cli.main())
