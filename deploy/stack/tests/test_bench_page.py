"""The page of benchmarks: a part that is measured anew leaves the others as they were."""

from grove_stack.bench import page

ORDER = ["live", "events"]


def test_only_the_sections_that_were_measured_change(tmp_path):
    written = tmp_path / "benchmarks.md"
    written.write_text("# Benchmarks\n", encoding="utf-8")
    first = {
        "events": ("Of events.", [("told", "1/s", "", "", "")]),
        "live": ("Of pushes.", [("push", "9 ms", "", "", "")]),
    }
    page.write(first, ORDER, written)
    before = written.read_text(encoding="utf-8")
    assert before.index("## live") < before.index("## events")
    page.write({"live": ("Of pushes.", [("push", "8 ms", "", "", "")])}, ORDER, written)
    assert written.read_text(encoding="utf-8") == before.replace("9 ms", "8 ms")
    page.write({}, ORDER, written)
    assert written.read_text(encoding="utf-8") == before.replace("9 ms", "8 ms")


def test_the_page_that_is_there_can_be_written_again():
    text = page.PAGE.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")]
    assert page._sections(text).keys() >= {"live", "resource", "accounts", "events"}
