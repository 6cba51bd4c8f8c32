import copy
import json
from importlib.resources import files

import pytest

from grove.contracts import asyncapi
from grove.contracts.auth import UserDeleted, UserRegistered
from grove.contracts.catalogue import BY_TYPE, CATALOGUE, SERVICES, consumed_by
from grove.contracts.compatibility import breaking_changes
from grove.contracts.event import EventData

STORED = json.loads((files("grove.contracts") / "snapshot.json").read_text())


def test_no_event_changed_in_a_way_that_breaks_its_consumers():
    assert breaking_changes(STORED, asyncapi.schemas()) == []


def test_the_snapshot_holds_every_event():
    assert set(STORED) == set(BY_TYPE), "run `make docs`"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda schema: schema["properties"].pop("title"), "title is gone"),
        (lambda schema: schema["properties"]["title"].update(type="integer"), "title changed"),
        (lambda schema: schema["required"].remove("title"), "no longer always there"),
        (
            lambda schema: (schema["properties"].update(extra={"type": "string"}), schema["required"].append("extra")),
            "new field extra is required",
        ),
    ],
)
def test_breaking_changes_are_found(change, problem):
    new = copy.deepcopy(STORED)
    change(new["resource.task.created.v1"])
    assert any(problem in found for found in breaking_changes(STORED, new))


def test_a_missing_event_is_found_and_an_optional_field_is_fine():
    new = copy.deepcopy(STORED)
    new["resource.task.created.v1"]["properties"]["note"] = {"type": "string"}
    assert breaking_changes(STORED, new) == []
    del new["resource.task.created.v1"]
    assert breaking_changes(STORED, new) == ["resource.task.created.v1 is gone"]


def test_types_name_their_service_their_fact_and_their_version():
    for published in CATALOGUE:
        service, *_, version = published.type.split(".")
        assert service.replace("_", "-") in SERVICES
        assert version == "v1"
        assert published.publisher not in published.consumers


def test_asyncapi_document_is_whole():
    document = asyncapi.document()
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == set(BY_TYPE)
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"].rsplit("/", 1)[-1]
        assert channel in document["channels"]
    for message in document["components"]["messages"].values():
        assert message["payload"]["properties"]["data"]["properties"]
    json.dumps(document)


def test_consumers_of_the_catalogue():
    assert UserRegistered in {published.model for published in consumed_by("resource")}
    erasing = {published.publisher for published in consumed_by("auth")}
    assert erasing == set(BY_TYPE[UserDeleted.type].consumers), "who erases says so"
    assert {published.type.split(".", 1)[1] for published in consumed_by("auth")} == {"user.erased.v1"}


def test_an_event_without_a_subject_says_so():
    with pytest.raises(TypeError, match="subject"):
        EventData().subject()
