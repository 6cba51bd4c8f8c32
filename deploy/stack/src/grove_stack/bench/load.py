"""A load generator of few instructions: HTTP/1.1 over TLS on kept-alive connections, in a process of its own."""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask. `identity`: a client certificate, empty for none."""

    address: str
    host: str
    ca_file: str
    identity: str

    def context(self) -> ssl.SSLContext:
        """TLS as the target wants it."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.identity:
            context.load_cert_chain(self.identity)
        return context

    def request(self, method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, target: Target, context: ssl.SSLContext) -> "Connection":
        """Connect."""
        host, port = target.address.split(":")
        return cls(
            *await asyncio.open_connection(
                host, int(port), ssl=context, server_hostname=target.host.split(":", maxsplit=1)[0]
            )
        )

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send, and read (status, body)."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        start = head.index(b"content-length:") + 15
        body = await self._reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
        return int(head[9:12]), body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, how often at once, and for how long."""

    target: Target
    method: str
    path: str
    headers: dict[str, str]
    body: str
    connections: int
    seconds: float


async def measure(load: Load) -> tuple[float, int]:
    """(answers per second, bytes of the last body), from a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, json.dumps(asdict(load)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"The load on {load.path} failed; see above.")
    told = json.loads(output)
    return told["rate"], told["bytes"]


async def _run(load: Load) -> None:
    context = load.target.context()
    request = load.target.request(load.method, load.path, load.headers, load.body)
    counts = [0]
    size = [0]

    async def ask(until: float) -> None:
        connection = await Connection.open(load.target, context)
        while time.perf_counter() < until:
            status, body = await connection.exchange(request)
            if status not in {200, 201}:
                raise RuntimeError(f"{status} {body[:500].decode()}")
            counts[0] += 1
            size[0] = len(body)
        connection.close()

    warm_up = time.perf_counter() + 1.0
    await asyncio.gather(*(ask(warm_up) for _ in range(load.connections)))
    counts[0] = 0
    began = time.perf_counter()
    await asyncio.gather(*(ask(began + load.seconds) for _ in range(load.connections)))
    rate = counts[0] / (time.perf_counter() - began)
    print(json.dumps({"rate": rate, "bytes": size[0]}))  # noqa: T201 - the answer to the parent


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    asyncio.run(_run(Load(**{**wanted, "target": Target(**wanted["target"])})))
