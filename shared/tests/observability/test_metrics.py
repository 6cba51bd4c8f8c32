"""Metrics are named alike, have few labels, and are all in docs/running.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = ("shared/src", "services", "gateway/src")
MADE = re.compile(r'\b(Counter|Gauge|Histogram)\(\s*"([^"]+)",\s*"[^"]+",?\s*(\[[^\]]*\])?')
UNBOUNDED = {"id", "user", "user_id", "path", "address", "subject", "name"}


def made() -> dict[str, tuple[str, str]]:
    """Name as scraped → kind and labels, of every metric in the code."""
    found = {}
    for folder in SOURCES:
        for file in (ROOT / folder).rglob("src/**/*.py" if folder == "services" else "*.py"):
            for kind, name, labels in MADE.findall(file.read_text(encoding="utf-8")):
                found[f"{name}_total" if kind == "Counter" else name] = (kind, labels)
    return found


def test_every_metric_is_in_the_docs_and_no_other():
    metrics = made()
    assert len(metrics) > 15, "they are found"
    told = set(re.findall(r"`(grove_\w+)`", (ROOT / "docs" / "running.md").read_text(encoding="utf-8")))
    assert set(metrics) - told == set(), "add them to the table"
    assert told - set(metrics) == set(), "these are gone"


def test_names_say_whose_they_are_and_labels_are_few():
    for name, (kind, labels) in made().items():
        assert re.fullmatch(r"grove_[a-z_]+", name), name
        assert kind != "Histogram" or name.endswith("_seconds"), name
        assert not UNBOUNDED & set(re.findall(r"\w+", labels)), name
