import re

from grove.contracts.catalogue import CATALOGUE
from grove.messaging import topology

DEFINITIONS = topology.definitions()


def rights(service: str) -> dict:
    return next(p for p in DEFINITIONS["topic_permissions"] if p["user"] == service)


def test_only_its_publisher_may_publish_an_event():
    users = {user["name"] for user in DEFINITIONS["users"]}
    for published in CATALOGUE:
        allowed = {user for user in users if re.match(rights(user)["write"], published.type)}
        assert allowed == {published.publisher}


def test_a_service_may_touch_only_its_own_queues():
    permission = next(p for p in DEFINITIONS["permissions"] if p["user"] == "resource")
    assert re.match(permission["read"], "resource.events")
    assert not re.match(permission["read"], "notification.events")
    assert not re.match(permission["configure"], "resource.events")
    assert re.match(permission["configure"], "resource.revocations.01a1")
    assert not re.match(permission["write"], "grove.revocations")
    auth = next(p for p in DEFINITIONS["permissions"] if p["user"] == "auth")
    assert re.match(auth["write"], "grove.revocations")


def test_every_queue_is_a_safe_quorum_queue():
    for queue in DEFINITIONS["queues"]:
        arguments = queue["arguments"]
        assert queue["durable"]
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-overflow"] == "reject-publish"
        assert arguments["x-dead-letter-strategy"] == "at-least-once"


def test_what_waits_comes_back_and_what_is_dead_stays():
    queues = {queue["name"]: queue["arguments"] for queue in DEFINITIONS["queues"]}
    for delay in topology.RETRY_DELAYS:
        waiting = queues[topology.retry_queue_name("resource.events", delay)]
        assert waiting["x-message-ttl"] == delay * 1000
        assert waiting["x-dead-letter-routing-key"] == "resource.events"
    assert queues["resource.events"]["x-dead-letter-routing-key"] == "resource.events.dead"
    assert "x-dead-letter-exchange" not in queues["resource.events.dead"]


def test_every_consumer_of_the_catalogue_is_bound():
    bound = {(b["destination"], b["routing_key"]) for b in DEFINITIONS["bindings"] if b["source"] == topology.EVENTS}
    assert bound == {(topology.queue_name(c), p.type) for p in CATALOGUE for c in p.consumers}


def test_merging_repeats_nothing():
    once = topology.consumer("team", ["resource.task.*"])
    assert topology.merge([once, once]) == topology.merge([once])
