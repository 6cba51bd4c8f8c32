"""mTLS inside the suite: every process proves who it is by a certificate with a SPIFFE-style URI name."""

import ssl
from pathlib import Path

TRUST_DOMAIN = "spiffe://grove/"


def identity_of(service: str) -> str:
    """The URI name of a service's certificates."""
    return TRUST_DOMAIN + service


class TlsMaterial:
    """This process's certificate and the CA it trusts, as contexts that follow renewed files.

    Call `reload_if_changed` now and then: new connections use the new certificate, old ones live on.
    """

    def __init__(self, identity_file: Path, ca_file: Path) -> None:
        self.identity_file = identity_file
        self.ca_file = ca_file
        self._loaded = self._stamp()
        self._contexts: list[ssl.SSLContext] = []

    def client_context(self) -> ssl.SSLContext:
        """For outgoing connections: the peer must be of our CA and bear the host's name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RabbitMQ 3.10 on older Erlang speaks no 1.3
        return self._prepared(context)

    def server_context(self) -> ssl.SSLContext:
        """For a listener: a client without a certificate of our CA does not get past the handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["http/1.1"])
        return self._prepared(context)

    def forget(self, context: ssl.SSLContext) -> None:
        """Stop renewing a context that is no longer used."""
        self._contexts.remove(context)

    def reload_if_changed(self) -> bool:
        """Load a renewed certificate into all contexts. A broken file is refused and the old one kept."""
        stamp = self._stamp()
        if stamp == self._loaded:
            return False
        try:
            # A mismatched pair breaks a live context, so it is tried on one that nobody uses.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.identity_file)
        except (ssl.SSLError, OSError):
            return False
        for context in self._contexts:
            context.load_cert_chain(self.identity_file)
        self._loaded = stamp
        return True

    def _prepared(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.load_verify_locations(self.ca_file)
        context.load_cert_chain(self.identity_file)
        self._contexts.append(context)
        return context

    def _stamp(self) -> tuple[int, int]:
        stat = self.identity_file.stat()
        return stat.st_mtime_ns, stat.st_ino


def peer_identity(tls: ssl.SSLObject | ssl.SSLSocket | None) -> str | None:
    """The URI name in the peer's verified certificate, None without one."""
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate:
        return None
    names = certificate.get("subjectAltName", ())
    uris = [str(name[1]) for name in names if name[0] == "URI"]
    return next((uri for uri in uris if uri.startswith(TRUST_DOMAIN)), None)
