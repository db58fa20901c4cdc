"""docs/reliability.md has the faults that the tests cause, no other, and none that something did not survive."""

import re
from pathlib import Path

from reliability import PAGE, Row, faults_of, page


def test_the_page_has_each_fault_that_a_test_causes_and_no_other():
    marks = re.compile(r'pytest\.mark\.fault\(\s*"([^"]+)"')
    caused = {name for file in Path(__file__).parent.glob("test_*.py") for name in marks.findall(file.read_text())}
    assert faults_of(PAGE.read_text()) == caused


def test_everything_on_the_page_was_survived():
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.endswith(" |")][1:]
    assert rows and all(tries == survived for *_, tries, survived in rows)


def test_a_page_adds_up_the_tests_of_a_fault():
    rows = [Row("no power", "a job", 3, 3), Row("no power", "a job", 2, 1), Row("flood", "a disk", 1, 1)]
    text = page(rows)
    assert "6 tries, 5 survived." in text and "| no power | a job | 5 | 4 |" in text
    assert faults_of(text) == {"no power", "flood"}
