"""Which requests the edge holds back until it has all of them, and how long it waits for that."""

import re
from typing import Any

import pytest
import yaml

from grove_resource.files.store import DELETE_SECONDS, PUT_SECONDS
from grove_resource.images.renderer import TURN_SECONDS, WALL_SECONDS
from grove_resource.profiles.photos import REMOVAL_SECONDS, STORE_SECONDS
from grove_stack.edge import Edge, EdgeSettings
from grove_stack.layout import Layout

TASK = "/api/v1/tasks/0198c1e5-7d3a-7c3e-9b1a-2f6f0d1c4b5a"
FILE = f"{TASK}/attachments/0198c1e6-02b7-7f10-8a54-9d3c5e7f1a2b"
PHOTO = "/api/v1/profiles/0198c1e5-7d3a-7c3e-9b1a-2f6f0d1c4b5b/photo"


@pytest.fixture
def rendered(tmp_path) -> dict[str, Any]:
    """Traefik's files by name."""
    layout = Layout(tmp_path / "state")
    layout.prepare(["localhost"])
    Edge(layout, EdgeSettings(8443, 8080, 9000)).render()
    return {path.name: yaml.safe_load(path.read_text()) for path in (layout.root / "traefik").rglob("*.yml")}


@pytest.fixture
def router(rendered):
    """The router that takes a request to the API."""
    routers = rendered["routers.yml"]["http"]["routers"].values()

    def router(method: str, path: str) -> dict[str, Any]:
        matching = [router for router in routers if matches(router["rule"], method, path)]
        return max(matching, key=lambda router: router.get("priority", len(router["rule"])))

    return router


@pytest.fixture
def buffering(rendered, router):
    """The buffering middleware that a request to the API passes; None for none."""
    middlewares = rendered["middlewares.yml"]["http"]["middlewares"]

    def buffering(method: str, path: str) -> str | None:
        passed = router(method, path)["middlewares"]
        return next((name for name in passed if "buffering" in middlewares[name]), None)

    return buffering


def matches(rule: str, method: str, path: str) -> bool:
    """Whether Traefik's rule takes a request to the API."""
    tests = {
        "Host": lambda value: value == "api.localhost",
        "Method": lambda value: value == method,
        "Path": lambda value: value == path,
        "PathPrefix": path.startswith,
        "PathRegexp": lambda value: re.search(value, path) is not None,
    }
    spoken = re.sub(r"(\w+)\(`([^`]*)`\)", lambda found: str(tests[found[1]](found[2])), rule)
    words = {"&&": "and", "||": "or"}
    return bool(eval(" ".join(words.get(word, word) for word in spoken.split())))  # noqa: S307 - of our own file


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/connections", "provider-sync"),
        ("/api/v1/providers/sandbox/webhooks", "provider-sync"),
        ("/api/v1/accounts/1/balances", "provider-sync"),
        ("/api/v1/transactions/export", "provider-sync"),
        ("/api/v1/admin/provider-sync/connections", "provider-sync"),
        ("/api/v1/admin/notification/emails", "notification"),
        ("/api/v1/webhooks", "notification"),
        ("/api/v1/tasks", "resource"),
        ("/api/v1/connectionsmith", "gateway"),
        ("/api/v1/admin/provider-syncs", "gateway"),
    ],
)
def test_a_path_goes_to_the_service_that_has_it(router, path, service):
    assert router("POST", path)["service"].partition("@")[0] == service


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [FILE, PHOTO, "/api/v1/profile/photo", "/api/v1/export"])
def test_what_is_downloaded_is_not_held_back(buffering, method, path):
    assert buffering(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", f"{TASK}/attachments", "file-limit"),
        ("DELETE", FILE, "file-limit"),
        ("POST", "/api/v1/profile/upload-photo", "file-limit"),
        ("POST", "/api/v1/tasks", "body-limit"),
        ("GET", "/api/v1/tasks", "body-limit"),
        ("POST", "/api/v1/export", "body-limit"),
        ("POST", "/graphql", "body-limit"),
        ("PUT", "/api/v1/notifications/preferences", "body-limit"),
        ("POST", "/api/v1/notifications/events", "body-limit"),
        ("GET", "/api/v1/nothing", "body-limit"),
    ],
)
def test_bodies_are_bounded(buffering, method, path, limit):
    assert buffering(method, path) == limit


@pytest.mark.parametrize("path", ["/api/v1/notifications/stream", "/api/v1/notifications/events"])
def test_streams_are_not_held_back(buffering, path):
    assert buffering("GET", path) is None


def test_the_largest_file_comes_over_a_slow_line(rendered):
    transport = rendered["traefik.yml"]["entryPoints"]["websecure"]["transport"]
    seconds = int(transport["respondingTimeouts"]["readTimeout"].removesuffix("s"))
    assert seconds * 500_000 / 8 > 10 * 1024 * 1024


def test_uploads_end_before_the_edge_gives_up(rendered):
    """Else the client is told of a failure, and the change is made all the same."""
    transport = rendered["transports.yml"]["http"]["serversTransports"]["mesh-resource"]
    seconds = int(transport["forwardingTimeouts"]["responseHeaderTimeout"].removesuffix("s"))
    for_the_database = 3
    assert TURN_SECONDS + WALL_SECONDS + STORE_SECONDS + REMOVAL_SECONDS + for_the_database <= seconds
    assert PUT_SECONDS + DELETE_SECONDS + for_the_database <= seconds
