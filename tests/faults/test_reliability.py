"""docs/reliability.md has the faults that the tests cause, no other, and none that something did not survive."""

import re
from pathlib import Path

from reliability import PAGE, Row, faults_of, is_defined, known, page


def test_the_page_has_each_fault_that_a_test_causes_and_no_other():
    marks = re.compile(r'pytest\.mark\.fault\(\s*"([^"]+)"')
    caused = {name for file in Path(__file__).parent.glob("test_*.py") for name in marks.findall(file.read_text())}
    assert faults_of(PAGE.read_text()) == caused


def test_everything_on_the_page_was_survived():
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.endswith(" |")][1:]
    assert rows and all(tries == survived for *_, tries, survived in rows)


def test_a_page_adds_up_the_tests_of_a_fault():
    day, next_day = ("0136ff1", "2026-11-27"), ("0136ff1+", "2026-11-28")
    rows = [
        Row("no power", "a job", 3, 3, *day),
        Row("no power", "a job", 2, 1, *day),
        Row("flood", "a disk", 1, 1, *day),
    ]
    assert "6 tries, 5 survived; run on 2026-11-27.\n" in page(rows)
    text = page([*rows[:2], Row("flood", "a disk", 1, 1, *next_day)])
    assert "run on 2026-11-27 to 2026-11-28.\n" in text and "| no power | a job | 5 | 4 |" in text
    assert faults_of(text) == {"no power", "flood"}


def test_the_page_is_of_the_table_beside_it():
    assert page(known().values()) == PAGE.read_text()


def test_a_test_that_is_gone_leaves_the_table():
    here = f"tests/faults/{Path(__file__).name}"
    assert is_defined(f"{here}::test_a_test_that_is_gone_leaves_the_table[1-2]")
    assert not is_defined(f"{here}::test_that_is_gone") and not is_defined("tests/faults/test_gone.py::test_a")
