"""`*.localhost` for Python's clients: browsers and curl know that it is this machine, Python asks the DNS."""

import httpx2


class LoopbackTransport(httpx2.AsyncHTTPTransport):
    """Connects to 127.0.0.1 for any name under `.localhost`, with that name in SNI and Host."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request."""
        host = request.url.host
        if host.endswith(".localhost") or host == "localhost":
            request = httpx2.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return await super().handle_async_request(request)
