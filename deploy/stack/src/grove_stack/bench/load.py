"""A load generator of few instructions: HTTP/1.1 over TLS on kept-alive connections, in a process of its own."""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, how often at once, and for how long. `identity`: a client certificate, empty for none."""

    address: str
    host: str
    ca_file: str
    identity: str
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
    context = ssl.create_default_context(cafile=load.ca_file)
    if load.identity:
        context.load_cert_chain(load.identity)
    lines = [f"{load.method} {load.path} HTTP/1.1", f"Host: {load.host}"]
    lines += [f"{name}: {value}" for name, value in load.headers.items()]
    lines += [f"Content-Length: {len(load.body)}"] if load.body else []
    request = ("\r\n".join(lines) + "\r\n\r\n" + load.body).encode()
    counts = [0]
    size = [0]

    async def ask(until: float) -> None:
        host, port = load.address.split(":")
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=context, server_hostname=load.host.split(":")[0]
        )
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                raise RuntimeError(head.decode())
            lower = head.lower()
            start = lower.index(b"content-length:") + 15
            length = int(lower[start : lower.index(b"\r\n", start)])
            await reader.readexactly(length)
            counts[0] += 1
            size[0] = length
        writer.close()

    warm_up = time.perf_counter() + 1.0
    await asyncio.gather(*(ask(warm_up) for _ in range(load.connections)))
    counts[0] = 0
    began = time.perf_counter()
    await asyncio.gather(*(ask(began + load.seconds) for _ in range(load.connections)))
    rate = counts[0] / (time.perf_counter() - began)
    print(json.dumps({"rate": rate, "bytes": size[0]}))  # noqa: T201 - the answer to the parent


if __name__ == "__main__":
    asyncio.run(_run(Load(**json.loads(sys.argv[1]))))
