"""Coverage, second readings and subjects, as the pages count them."""

import pytest

from postproof.core.errors import ArtefactError, ClaimError
from postproof.site import families, found, themes

RECORDS = [
    {"id": "a_one", "post": "p", "verdict": "holds"},
    {"id": "a_two", "post": "p", "verdict": "does not hold"},
    {"id": "b_one", "post": "q", "verdict": "holds if"},
]
READING = "place,statement,judged,because,claim,verdict,note\n"


def test_both_directions_of_coverage_are_counted(tmp_path):
    path = tmp_path / "p.numbers.csv"
    path.write_text(
        "kind,section,ordinal,typed,sha,claim,reason\n"
        "number,S,1,8,,a_one a_other,\nword,S,1,two,,,a heading\nname,S,1,GPT-2,,,name\n"
        "sentence,S,1,,abc,a_one,\nsentence,S,2,,abd,,\n"
    )
    counted = found.covered(path, RECORDS[:2])
    assert (counted.post, counted.numbers, counted.numbers_told) == ("p", 2, 1)
    assert (counted.sentences, counted.sentences_told, counted.open) == (2, 1, 1)
    assert [record["id"] for record in counted.apart] == ["a_two"]


def test_a_second_reading_agrees_where_both_judge_alike(tmp_path):
    path = tmp_path / "p.csv"
    rows = [
        "S,A,right,x,a_one,holds,",
        "S,B,wrong,y,a_two,holds,mended since",
        "S,C,open,z,,,no claim",
        "S,D,wrong,z,a_two,,written since",
    ]
    path.write_text(READING + "\n".join(rows) + "\n")
    read = found.reading(path, RECORDS)
    assert (read.statements, read.told, read.alike, read.opposed, read.now) == (4, 2, 1, 1, 2)
    assert [(row["statement"], record["id"]) for row, record in read.others] == [("B", "a_two")]
    assert [row["statement"] for row in read.untold] == ["C", "D"]


@pytest.mark.parametrize(
    "line, named",
    [("S,A,maybe,x,a_one,holds,", "maybe"), ("S,A,right,x,nowhere,,", "nowhere"), ("S,A,right,x,a_one,so,", "so")],
)
def test_a_reading_that_judges_otherwise_or_names_no_claim_is_refused(tmp_path, line, named):
    path = tmp_path / "p.csv"
    path.write_text(f"{READING}{line}\n")
    with pytest.raises(ArtefactError) as error:
        found.reading(path, RECORDS)
    assert named in str(error.value.context)


def test_kappa_is_that_of_the_textbook():
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert found.kappa(pairs) == pytest.approx(0.4)  # agreement 0.7, by chance 0.5
    assert found.kappa([("yes", "yes")]) is None and found.kappa([]) is None


def test_a_subject_has_the_claims_of_its_patterns_and_what_rests_on_one_number(tmp_path):
    path = tmp_path / "memory.yaml"
    path.write_text("title: Memory\nwhat: What it takes.\nclaims: ['a_*', b_one]\n")
    group = families.Group("size", (RECORDS[0], RECORDS[2]), True)
    alike = families.Family("work", "sheet", "Data sheet", "x", (group,), ())
    theme = themes.read(path, RECORDS, [alike])
    assert [record["id"] for record in theme.records] == ["a_one", "a_two", "b_one"]
    assert list(theme.posts) == ["p", "q"] and theme.groups == (("Data sheet", group),)
    path.write_text("title: Memory\nwhat: What it takes.\nclaims: ['c_*']\n")
    with pytest.raises(ClaimError) as error:
        themes.read(path, RECORDS, [alike])
    assert {"value": "c_*", "file": path}.items() <= error.value.context.items()
