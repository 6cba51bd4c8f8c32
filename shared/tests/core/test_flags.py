import json
import time

from grove.core.flags import Flags
from grove.core.ids import new_id


def definitions(state: str) -> str:
    return json.dumps(
        {
            "flags": {
                "new-list": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": state},
                "split": {
                    "state": "ENABLED",
                    "variants": {"on": True, "off": False},
                    "defaultVariant": "off",
                    "targeting": {"fractional": [{"var": "targetingKey"}, ["on", 20], ["off", 80]]},
                },
                "colour": {"state": "ENABLED", "variants": {"a": "green", "b": "blue"}, "defaultVariant": "b"},
            }
        }
    )


def test_flags_are_read_from_their_file_and_again_when_it_changes(tmp_path):
    file = tmp_path / "flags.json"
    file.write_text(definitions("off"))
    flags = Flags(file, "test-change")
    assert flags.on("new-list") is False
    assert flags.variant("colour") == "blue"
    file.write_text(definitions("on"))
    deadline = time.monotonic() + 10
    while not flags.on("new-list") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert flags.on("new-list") is True


def test_a_percentage_reaches_about_that_part_of_users_and_always_the_same_ones(tmp_path):
    file = tmp_path / "flags.json"
    file.write_text(definitions("off"))
    flags = Flags(file, "test-split")
    users = [new_id() for _ in range(500)]
    chosen = [user for user in users if flags.on("split", user)]
    assert 50 < len(chosen) < 160
    assert all(flags.on("split", user) for user in chosen)


def test_without_a_file_flags_have_their_defaults():
    flags = Flags(None, "test-none")
    assert flags.on("anything", default=True) is True
    assert flags.variant("anything", default="x") == "x"
