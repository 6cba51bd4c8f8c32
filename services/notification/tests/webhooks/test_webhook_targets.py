"""What webhooks may call: every spelling of an address, every kind of name."""

import asyncio
from ipaddress import IPv4Network, IPv6Network

import dns.asyncresolver
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from pydantic import ValidationError

from grove_notification.settings import NotificationSettings
from grove_notification.webhooks import resolving
from grove_notification.webhooks import targets as module
from grove_notification.webhooks.addresses import is_public
from grove_notification.webhooks.resolving import resolve
from grove_notification.webhooks.targets import TargetRefused, Targets, host_of

GUARD = 30
PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:220:1::1"


def targets(answers: dict[str, list[str]] | None = None, ports=(443,), allowed=()) -> Targets:
    async def look(name: str) -> list[str]:
        return (answers or {}).get(name, [])

    return Targets(ports, allowed, look)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, PUBLIC_6, "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "100.128.0.1", "172.32.0.1", "11.0.0.1"],
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nobody listens
        "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
        "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192",
        "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:20::1",
        "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fe80::1%eth0", "2606:2800:220:1::1%eth0", "fec0::1", "ff02::1",
        "", "example.com", "0x7f.1", "127.1", "0177.0.0.1", "2130706433",
    ],
)  # fmt: skip
def test_everything_else_is_somebodys_inside(address):
    assert not is_public(address)


@pytest.mark.parametrize("host", ["my_hook.xn--fiqs8s.example", "ab--cd.example", "xn--a.example"])
async def test_the_host_of_whatever_was_taken_can_be_told(host):
    """The hosts are no names that a library would decode."""
    url = f"https://{host}/in?key=1"
    await targets({host: [PUBLIC]}).check(url)
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?key=1",
        "https://example.com:443/",
        "https://EXAMPLE.com",
        "https://bücher.example/",
        f"https://{PUBLIC}/",
        f"https://[{PUBLIC_6}]/",
        "https://not-there-yet.example/",
    ],
)
async def test_public_places_pass(url):
    await targets({"example.com": [PUBLIC, PUBLIC_6], "xn--bcher-kva.example": [PUBLIC]}).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://example.com:8443/",
        "https://example.com:80/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://:@example.com/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://example.com\\@evil.example/",
        "https://exam ple.com/",
        "https://example.com/\n",
        "https://example.com/\x00",
        "https://example.com/" + "x" * 2000,
        "https://",
        "https:///path",
        "https:example.com",
        "//example.com/",
        "example.com",
        "javascript:alert(1)",
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.0x1/",
        "https://127。0。0。1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://256.1.1.1/",
        "https://1.2.3.4.5/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://[fe80::1%25eth0]/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[::]/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://a.localhost/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://nas.home.arpa/",
        "https://postgres/",
        "https://a..example/",
        "https://-a.example/",
        "https://a_*.example/",
        "https://inside.example/",
        "https://inside.example./",
        "https://example.com./",
        f"https://{PUBLIC}./",
        "https://both.example/",
    ],
)
async def test_others_are_refused_in_every_spelling(url):
    names = {"inside.example": ["10.0.0.7"], "both.example": [PUBLIC, "127.0.0.1"], "example.com": [PUBLIC]}
    with pytest.raises(TargetRefused):
        await targets(names).check(url)


async def test_ports_are_the_operators_choice():
    await targets({"example.com": [PUBLIC]}, ports=(443, 8443)).check("https://example.com:8443/")
    with pytest.raises(TargetRefused, match="port 444; allowed: 443, 8443"):
        await targets(ports=(8443, 443)).check("https://example.com:444/")


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("http://127.0.0.1:9900/hook", True),
        ("https://127.0.0.1:9900/hook", True),
        ("http://[::1]:9901/", True),
        ("http://Sandbox:9902/", True),
        ("http://127.0.0.1:9901/", False),
        ("http://127.0.0.1/", False),
        ("https://127.0.0.1/", False),
        ("http://127.0.0.2:9900/", False),
        ("http://localhost:9900/", False),
        ("http://127.1:9900/", False),
        ("http://2130706433:9900/", False),
        ("http://[::ffff:127.0.0.1]:9900/", False),
        ("http://127.0.0.1.:9900/", False),
        ("http://user@127.0.0.1:9900/", False),
        ("https://rebound.example:9900/", False),
    ],
)
async def test_places_inside_are_exactly_those_of_the_list(url, fine):
    place = targets({"rebound.example": ["127.0.0.1"]}, allowed=["127.0.0.1:9900", "[::1]:9901", "sandbox:9902"])
    if fine:
        await place.check(url)
    else:
        with pytest.raises(TargetRefused):
            await place.check(url)


async def test_a_port_of_the_list_is_no_other_hosts():
    """Asked at the connect, where a name stands for whatever it leads to by then."""
    inside = targets({"rebound.example": ["127.0.0.1"]}, ports=(443, 9900), allowed=["127.0.0.1:9900"])
    assert await inside.addresses("127.0.0.1", 9900) == ["127.0.0.1"]
    for host, port in (("rebound.example", 9900), ("127.0.0.1", 443), ("127.0.0.2", 9900), ("localhost", 9900)):
        with pytest.raises(TargetRefused):
            await inside.addresses(host, port)


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("93.184.215.13", False),
        ("::ffff:93.184.215.13", False),
        ("64:ff9b::5db8:d70d", False),
        ("93.184.216.1", True),
        ("2606:2800:220:64::a00:1", False),
        ("2606:2800:220:65::1", True),
    ],
)
async def test_public_networks_of_the_operators_own_are_refused_when_saved_and_at_the_connect(address, fine):
    async def look(_: str) -> list[str]:
        return [PUBLIC_6, address]

    own = [IPv4Network("93.184.215.0/24"), IPv6Network("2606:2800:220:64::/96")]
    outside = Targets([443], ["93.184.215.13:9900"], look, own)
    literal = f"[{address}]" if ":" in address else address
    for url in (f"https://{literal}/", "https://hook.example/"):
        if fine:
            await outside.check(url)
        else:
            with pytest.raises(TargetRefused, match="not on the public internet"):
                await outside.check(url)
    if not fine:
        with pytest.raises(TargetRefused):
            await outside.addresses("hook.example", 443)
    await outside.check("http://93.184.215.13:9900/")  # the list of places goes before


@pytest.mark.integration
def test_denied_networks_are_a_setting(stores):
    settings = stores.settings(NotificationSettings, webhook_denied_networks=["192.0.2.0/24", "2001:db8::/96"])
    assert settings.webhook_denied_networks == [IPv4Network("192.0.2.0/24"), IPv6Network("2001:db8::/96")]
    with pytest.raises(ValidationError, match="webhook_denied_networks"):
        stores.settings(NotificationSettings, webhook_denied_networks=["192.0.2.1/24"])


@pytest.mark.integration
@pytest.mark.parametrize("place", ["localhost", "127.0.0.1", "http://a:1", "a:b", ":80", "a:80/", "*:80", "::1:80", ""])
def test_a_place_of_the_list_must_be_one(stores, place):
    with pytest.raises(ValidationError, match="is no `host:port`"):
        stores.settings(NotificationSettings, webhook_allowed_targets=[place])


async def test_a_name_server_that_hangs_holds_nobody_up(monkeypatch):
    """The name is taken, and asked for again at each send."""

    monkeypatch.setattr(module, "_RESOLVE_SECONDS", 0.01)
    asked = asyncio.Event()

    async def hang(_: str) -> list[str]:
        asked.set()
        await asyncio.Event().wait()
        return []

    await Targets([443], [], hang).check("https://example.com/")
    assert asked.is_set()


class NameServer(asyncio.DatagramProtocol):
    """Answers for names `hook` over UDP, hangs for some, and knows no others. Two of them know one family only:
    `fails-aaaa.…` and the like, `hangs-a.…` and the like.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address) -> None:
        query = dns.message.from_wire(data)
        [question] = query.question
        self.asked.append(question.name.to_text())
        answer = dns.message.make_response(query)
        family = dns.rdatatype.to_text(question.rdtype).lower()
        first = question.name.to_text().split(".")[0]
        if (first.startswith("hangs") and first not in {"hangs-a", "hangs-aaaa"}) or first == f"hangs-{family}":
            return
        if first == f"fails-{family}":
            answer.set_rcode(dns.rcode.SERVFAIL)
            self.transport.sendto(answer.to_wire(), address)
            return
        if first not in {"hook", "fails-a", "fails-aaaa", "hangs-a", "hangs-aaaa"}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            self.transport.sendto(answer.to_wire(), address)
            return
        texts = {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]}[dns.rdatatype.to_text(question.rdtype)]
        answer.answer.append(
            dns.rrset.from_text(question.name, 60, "IN", dns.rdatatype.to_text(question.rdtype), *texts)
        )
        self.transport.sendto(answer.to_wire(), address)


@pytest.fixture
async def name_server(monkeypatch):
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    made = dns.asyncresolver.Resolver(configure=False)
    made.search = [dns.name.from_text("inside.example")]
    made.nameservers, made.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: made)
    yield server
    transport.close()


async def test_names_are_asked_of_name_servers_both_ways(name_server):
    assert sorted((await resolve("hook.example"))[:2]) == ["192.0.2.1", "192.0.2.2"]
    assert (await resolve("hook.example"))[2:] == ["2001:db8::1"]
    assert await resolve("unknown.example") == []
    assert set(name_server.asked) == {"hook.example.", "unknown.example."}  # no search domains


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_name_server_that_knows_one_family_only_is_enough(name_server, monkeypatch, how):
    monkeypatch.setattr(resolving, "_OTHER_SECONDS", 0)
    assert sorted(await resolve(f"{how}-aaaa.example")) == ["192.0.2.1", "192.0.2.2"]
    assert await resolve(f"{how}-a.example") == ["2001:db8::1"]
    assert len(name_server.asked) >= 4


async def test_a_family_that_has_nothing_does_not_end_it(monkeypatch):
    """However long the other takes, as long as name servers may."""

    async def ask(_resolver: object, _name: str, family: str) -> list[str]:
        if family == "A":
            return []
        await asyncio.sleep(0.05)
        return [PUBLIC_6]

    monkeypatch.setattr(resolving, "_OTHER_SECONDS", 0)
    monkeypatch.setattr(resolving, "_ask", ask)
    assert await resolve("hook.example") == [PUBLIC_6]


async def test_a_name_that_either_family_fails_for_has_no_address(name_server):
    with pytest.raises(OSError, match=r"unknown\.example has no address"):
        await Targets([443], [], resolve).addresses("unknown.example", 443)
    assert sorted(name_server.asked) == ["unknown.example."] * 2


async def test_the_addresses_of_both_families_are_looked_at(name_server):
    public = {"192.0.2.1", "192.0.2.2"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "is_public", lambda address: address in public)
        with pytest.raises(TargetRefused, match="not on the public internet"):
            await Targets([443], [], resolve).addresses("hook.example", 443)
        public.add("2001:db8::1")
        assert len(await Targets([443], [], resolve).addresses("hook.example", 443)) == 3


async def test_asking_a_name_server_that_hangs_holds_no_thread(name_server):
    """Many more than there are threads, and another is answered."""
    hanging = [asyncio.create_task(resolve(f"hangs{number}.example")) for number in range(100)]
    async with asyncio.timeout(GUARD):
        while len(set(name_server.asked)) < len(hanging):
            await asyncio.sleep(0.01)
        assert await resolve("hook.example")
    assert not any(task.done() for task in hanging)
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)


async def test_nobody_knows_a_name_that_is_not_there():
    assert await resolve("does-not-exist.invalid") == []
