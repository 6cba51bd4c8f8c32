"""A mail server in the process that takes mails, and misbehaves where it is told to."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "dot", "answer")
"""Where it can break off: `body` in the content, `dot` when it has all of it and said nothing, `answer` behind that."""
_OK = "250 OK"


class SmtpServer:
    """Says yes to everything, but for what is set here.

    `drops`: stages (or verbs) at which it closes a connection, as often as each is counted. `hangs`: the same, and it
    says nothing until `released` is set. `answers`: what it says to a verb instead, once each; `dot` is the content,
    `connect` the greeting.
    """

    def __init__(self, *, starttls: ssl.SSLContext | None = None, auth: bool = False) -> None:
        self._starttls = starttls
        self._auth = auth
        self.drops: Counter[str] = Counter()
        self.hangs: Counter[str] = Counter()
        self.answers: dict[str, list[str]] = {}
        self.released = asyncio.Event()
        self.hanging = asyncio.Event()
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.verbs: list[str] = []
        self.connections = 0
        self.encrypted = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, _Dropped):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._at("connect")
        _say(writer, self.answers["connect"].pop(0) if self.answers.get("connect") else "220 ready")
        while line := await reader.readline():
            verb = line.split(maxsplit=1)[0].decode().upper()
            self.verbs.append(verb)
            await self._at(verb)
            if verb == "QUIT":
                _say(writer, "221 bye")
                return
            if self.answers.get(verb):
                _say(writer, self.answers[verb].pop(0))
            elif verb == "EHLO":
                _say(writer, *self._extensions(writer))
            elif verb == "STARTTLS" and self._starttls is not None:
                _say(writer, "220 go on")
                await writer.start_tls(self._starttls)
                self.encrypted += 1
            elif verb == "DATA":
                await self._take(reader, writer)
            else:
                if verb == "RCPT":
                    self.recipients.append(line.decode().split("<")[1].split(">")[0])
                _say(writer, "235 welcome" if verb == "AUTH" else _OK)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _say(writer, "354 go on")
        first = await reader.readline()
        await self._at("body")
        content = first + await reader.readuntil(b"\r\n.\r\n")
        if self.answers.get("dot"):
            _say(writer, self.answers["dot"].pop(0))
            return
        parsed = message_from_bytes(content[:-3], policy=policy.default)
        self.mails.append(parsed)
        await self._at("dot")
        _say(writer, _OK)
        await self._at("answer")

    async def _at(self, stage: str) -> None:
        if self.hangs[stage]:
            self.hangs[stage] -= 1
            self.hanging.set()
            await self.released.wait()
        if self.drops[stage]:
            self.drops[stage] -= 1
            raise _Dropped

    def _extensions(self, writer: asyncio.StreamWriter) -> list[str]:
        lines = ["250-mail.test", "250-8BITMIME"]
        if self._starttls is not None and writer.get_extra_info("ssl_object") is None:
            lines.append("250-STARTTLS")
        if self._auth:
            lines.append("250-AUTH PLAIN")
        return [*lines, "250 HELP"]


class _Dropped(Exception):
    pass


def _say(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())


@asynccontextmanager
async def serving(server: SmtpServer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[SmtpServer]:
    """Listen on a free port of this machine."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.released.set()
        listening.close()
        await listening.wait_closed()
