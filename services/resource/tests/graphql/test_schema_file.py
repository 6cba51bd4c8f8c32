"""The schema in the repository is the one that is served."""

import pytest
from typer.testing import CliRunner

from grove_resource.graphql import cli
from grove_resource.graphql.schema import SCHEMA


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / cli.FILE).parent.mkdir(parents=True)
    return lambda *arguments: CliRunner().invoke(cli.commands, ["schema", *arguments])


def test_the_file_is_current(pytestconfig):
    stored = (pytestconfig.rootpath / cli.FILE).read_text(encoding="utf-8")
    assert stored == SCHEMA.as_str() + "\n", "run `make docs`"


def test_the_command_writes_it_and_tells_when_it_is_stale(run):
    assert run("--check").exit_code == 1
    assert run().exit_code == 0
    assert run("--check").exit_code == 0
    cli.FILE.write_text("type Query { other: Int }\n")
    stale = run("--check")
    assert (stale.exit_code, "Stale" in stale.output) == (1, True)
