"""A service's command line."""

import gc
import sys

import pytest
from typer.testing import CliRunner

from grove.service.commands import service_command


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two processes, each in a module of its own that says when it runs."""
    for name in ("one", "other"):
        lines = ("import gc", "held = not gc.isenabled()", f"def run(): print('{name} ran', held, gc.isenabled())")
        (tmp_path / f"grove_test_{name}.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("one", "other"):
        sys.modules.pop(f"grove_test_{name}", None)


def test_a_process_imports_what_it_runs_and_nothing_else(modules):
    main = service_command("grove-test", {"api": "grove_test_one:run", "worker": "grove_test_other:run"})
    assert "grove_test_one" not in sys.modules
    done = CliRunner().invoke(main, ["api"])
    assert done.output == "one ran True True\n", "garbage is collected again once modules are there"
    assert "grove_test_other" not in sys.modules
    assert gc.isenabled()


def test_the_help_names_each_process(modules):
    main = service_command("grove-test", {"api": "grove_test_one:run", "worker": "grove_test_other:run"})
    help_text = CliRunner().invoke(main, ["--help"]).output
    assert "Serve until stopped." in help_text
    assert "Work until stopped." in help_text
