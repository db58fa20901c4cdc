"""The inventory of a post's numbers: what counts as one, which claim speaks of it, and what is kept of the text."""

import csv
from argparse import ArgumentParser
from decimal import Decimal

import pytest

from postproof.core.errors import ArtefactError, ClaimError
from postproof.engines import coverage
from postproof.engines.coverage import Kind, Row, tokens, values

POST = """\
# Two ducks on 3 ponds

Ducks lay 12 eggs. Nobody knows why they do.

## Setup

The pond is cold, e.g. in `pond_2.py` and [here](https://example.org/2024/7). A fast duck swims 17.09% faster.

1. Wade in.
2. Count 5 reeds.

## Result 1: eggs

```
eggs=1,200 | share=0.25   # two
```

### Details

| pond | eggs |
| --- | --- |
| north | 7 |

$$E_0 = 10^{-4} \\cdot \\frac{1}{8}$$

It took twice as long. RTX 3090 cards are loud.

## Setup

Again 5 reeds.
"""
CLAIMS = """\
claims:
  - {id: title_ponds, where: title, posted: 3, unit: ponds}
  - {id: eggs_laid, where: Opening, posted: 12, unit: eggs}
  - {id: speed, where: setup, posted: 17.09, unit: "%"}
  - {id: eggs_all, where: "Result 1, block", posted: 1.2e3, unit: eggs}
  - {id: eggs_north, where: result 1, posted: 7, unit: eggs}
  - {id: eggs_north_again, where: Details, posted: 7, unit: eggs}
  - {id: share, where: Result 1, posted: 25, unit: "%"}
  - {id: share_elsewhere, where: Result 10, posted: 25, unit: "%"}
  - {id: slow, where: Result 1, posted: 2, unit: "1"}
  - {id: loud, where: Details, posted: true}
findings:
  - {id: cold_pond}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "post.md").write_text(POST)
    (tmp_path / "post.yaml").write_text(CLAIMS)
    return tmp_path


def cover(folder, *options):
    parser = ArgumentParser()
    coverage.add_arguments(parser)
    return coverage.main(
        parser.parse_args([str(folder / "post.md"), "--claims", str(folder / "post.yaml"), *options]),
    )


def inventory(folder):
    return coverage.read(folder / "post.numbers.csv")


def fill_in(folder, reason="because"):
    path = folder / "post.numbers.csv"
    rows = [row._replace(reason=reason) if row.is_open() else row for row in coverage.read(path)]
    coverage.write(path, rows)
    return rows


def numbers(content, form="prose"):
    return [typed for kind, typed in tokens(content, form) if kind == Kind.NUMBER]


@pytest.mark.parametrize(
    "content, typed",
    [
        ("flops=207,920,037,888 at 2.08e11", ["207,920,037,888", "2.08e11"]),
        ("17.09%, 17.09 % and 3.45\\%", ["17.09%", "17.09 %", "3.45\\%"]),
        ("1/8 of it, `d_ff/8`", ["1", "8", "8"]),
        ("32.52x, 3x, 8×, 2 × 4, 12x12, 12×12", ["32.52x", "3x", "8×", "2", "4", "12", "12", "12", "12"]),
        ("[2.9, -0.1, −1.2] and (-2)", ["2.9", "-0.1", "−1.2", "-2"]),
        ("top-2 of 7-64%, 4–8, 3 - 1", ["2", "7", "64%", "4", "8", "3", "1"]),
        ("experts 1,2,3,5 at position 10,000.", ["1", "2", "3", "5", "10,000"]),
        ("~1.44% of 24GB, 128K and 70B's", ["1.44%", "24GB", "128K", "70B"]),
        ("1.19e-07 < 1e-14, .5", ["1.19e-07", "1e-14", ".5"]),
        ("O(n^2) and n² of 10⁻⁴, θ₆₃", ["2", "²", "10⁻⁴", "₆₃"]),
        ("$E_0 = 10^{-4}$ and \\(\\sqrt{64}\\cdot2\\)", ["0", "10^{-4}", "64", "2"]),
        ("it costs $5 and $6", ["5", "6"]),
        ("`K.transpose(-2, -1)` and `rope = 10,000`", ["-2", "-1", "10,000"]),
        ("**2.5** and *3*", ["2.5", "3"]),
        ("attention-v2, `moe_core2.py`, float16, top1_share, x_1, `llama-2/`", []),
        ("https://example.org/2024/7 and www.example.org/3", []),
        ("a 2D plane, the 5th", ["2D", "5th"]),
    ],
)
def test_numbers_as_typed(content, typed):
    assert numbers(content) == typed


@pytest.mark.parametrize(
    "content, typed",
    [
        ("Llama-2-7B, LLaMA 2 70B and LLaMA 2/3", ["Llama-2-7B", "LLaMA 2 70B", "LLaMA 2/3"]),
        ("GPT-2 small, GPT-3.5-level, Mixtral 8x7B, an 8x7B", ["GPT-2", "GPT-3.5", "Mixtral 8x7B", "8x7B"]),
        ("two A100-80GBs, an RTX 3090, P95", ["A100-80GBs", "RTX 3090", "P95"]),
        ("PyTorch 2.1.0, torch==2.1.0, ROUGE-1", ["PyTorch 2.1.0", "2.1.0", "ROUGE-1"]),
        ("Mistral and Gemma; MoE-8", []),
    ],
)
def test_names(content, typed):
    assert [token for kind, token in tokens(content) if kind == Kind.NAME] == typed


def test_a_name_leaves_the_numbers_beside_it():
    assert list(tokens("GPT-3's 96 layers")) == [(Kind.NAME, "GPT-3"), (Kind.NUMBER, "96")]
    assert numbers("Mistral 24GB, MMLU 5-shot, LLaMA 3 (8B)") == ["24GB", "5", "8B"]


def test_number_words():
    content = "Two-GPU boxes, twelve, twenty-five, tenfold, a half, doubled; someone often weighs `two` $two$"
    assert [typed for _, typed in tokens(content)] == ["Two", "twelve", "twenty-five", "tenfold", "half", "doubled"]
    assert list(tokens("two of dtype.half()", "code")) == []


@pytest.mark.parametrize(
    "typed, value",
    [
        ("207,920", "207920"), ("2.08e11", "208000000000"), ("17.09%", "17.09"), ("32.52x", "32.52"), ("70B", "7e10"),
        ("4K", "4096"), ("24GB", "24"), ("10^{-4}", "0.0001"), ("10⁻⁴", "1e-4"), ("−1.2", "-1.2"), ("²", "2"),
        ("₆₃", "63"), ("½", "0.5"), ("Twice", "2"), ("twenty-five", "25"), ("millions", "1000000"), ("8×", "8"),
        ("3.45\\%", "3.45"), ("10\\,000", "10000"),
    ],
)  # fmt: skip
def test_values(typed, value):
    assert Decimal(value) in values(typed)


@pytest.mark.parametrize("typed", ["2D", "5th", "9^999999999", "0^-1"])
def test_no_value(typed):
    assert values(typed) == set()


def test_sections_and_what_is_listed(folder):
    found = [
        (item.section.name, item.kind.value, item.typed)
        for item in coverage.find(POST)
        if item.kind != Kind.SENTENCE
    ]  # fmt: skip
    assert found == [
        ("title", "word", "Two"), ("title", "number", "3"),
        ("opening", "number", "12"),
        ("Setup", "number", "17.09%"),
        ("Setup", "number", "5"),
        ("Result 1: eggs", "number", "1,200"), ("Result 1: eggs", "number", "0.25"),
        ("Details", "number", "7"), ("Details", "number", "0"), ("Details", "number", "10^{-4}"),
        ("Details", "number", "1"), ("Details", "number", "8"), ("Details", "word", "twice"),
        ("Details", "name", "RTX 3090"),
        ("Setup (2)", "number", "5"),
    ]  # fmt: skip


def test_sentences_without_a_number():
    found = [(item.section.name, item.around) for item in coverage.find(POST) if item.kind == Kind.SENTENCE]
    assert found == [
        ("opening", "Nobody knows why they do."),
        ("Setup", "The pond is cold, e.g. in pond_2.py and here."),
        ("Setup", "Wade in."),
        ("Details", "RTX 3090 cards are loud."),  # a name counts nothing
    ]


@pytest.mark.parametrize(
    "content, expected",
    [
        ("One. **Two.** Three", ["One.", "**Two.**", "Three"]),
        ("See Su et al. (2021). vLLM too.", ["See Su et al. (2021).", "vLLM too."]),
        ("It is `a. B` at 3.5 k. Then $x. Y$!", ["It is `a. B` at 3.5 k.", "Then $x. Y$!"]),
        ('He said "stop." Nobody\nstopped', ['He said "stop."', "Nobody\nstopped"]),
        ("a lot, i.e. Many", ["a lot, i.e. Many"]),
    ],
)
def test_sentences(content, expected):
    assert coverage.sentences(content) == expected


@pytest.mark.parametrize(
    "content, typed",
    [
        ("---\ndate: 2024\n---\nAll of 7.", ["7"]),
        ("Head 4\n======\n\nall of\n2017. That was it", ["4", "2017"]),
        ("## 2. Method\n\n### Step 3: go\n\n#### In 2026", ["2026"]),
        ("```python3\n# 5\n```\n\n~~~\n6\n~~~\n", ["5", "6"]),
        ("$$\nx_1 = 2\n$$\n\nand 3", ["1", "2", "3"]),
        ("> quoted 4\n\n* starred 5\n- minus 6\n10) counted 7", ["4", "5", "6", "7"]),
        ("<!-- 1\n\n2 --> <img width=3> less < 4 and > 5 &#54;", ["4", "5", "6"]),
        ("noted[^1]\n\n[^1]: https://a.org/3\n[b]: http://b.org/4\n[Post 5](/p/6) [f 7](8)", ["5", "7", "8"]),
    ],
)
def test_markup_is_no_number(content, typed):
    assert [item.typed for item in coverage.find(content) if item.kind == Kind.NUMBER] == typed


def test_claims_are_assigned_by_number_and_section(folder):
    cover(folder, "--update")
    assert {(row.section, row.typed): row.claim for row in inventory(folder) if row.claim} == {
        ("title", "3"): "title_ponds",
        ("opening", "12"): "eggs_laid",
        ("Setup", "17.09%"): "speed",
        ("Result 1: eggs", "1,200"): "eggs_all",  # "Result 1, block" is no heading, Result 1 is
        ("Result 1: eggs", "0.25"): "share",
        ("Details", "7"): "eggs_north_again",  # the nearest section has the word
        ("Details", "twice"): "slow",
    }


@pytest.mark.parametrize(
    "posted, unit, typed, is_said",
    [
        ("17.09", "%", "17.09%", True),
        ("0.1709", "1", "17.09%", True),
        ("17.09", "eggs", "17.09%", False),
        ("17.09", "%", "0.1709", True),
        ("2.08e11", "FLOPs", "208,000,000,000", True),
        ("0.00e+00", "1", "0", False),
        ("0.00e+00", "1", "0.00e+00", True),
        ("0", "1", "0", True),
        ("70", "parameters", "70B", True),
    ],
)
def test_whether_a_claim_has_the_number(tmp_path, posted, unit, typed, is_said):
    (tmp_path / "post.md").write_text(f"## A\n\nIt was {typed} there.\n")
    (tmp_path / "post.yaml").write_text(f"claims: [{{id: it, where: a, posted: {posted}, unit: '{unit}'}}]\n")
    assert cover(tmp_path, "--update") == (not is_said)


def test_all_claims_that_match_and_the_same_digits_first(tmp_path):
    entries = [("a", "1.0"), ("b", "1"), ("c", "1.0")]
    (tmp_path / "post.md").write_text("## A\n\nIt was 1.0 and 1.00.\n")
    (tmp_path / "post.yaml").write_text("claims:\n" + "".join(
        f"  - {{id: {name}, where: A, posted: {posted}}}\n" for name, posted in entries))  # fmt: skip
    assert cover(tmp_path, "--update") == 0
    assert [row.claim for row in inventory(tmp_path)] == ["a c", "a b c"]


def test_open_rows_fail_and_are_shown_with_their_text(folder, capsys):
    assert cover(folder, "--update") == 1
    out = capsys.readouterr().out
    assert "Nobody knows why they do." in out and "Count 5 reeds." in out
    assert out.endswith(
        "12 numbers: 6 with a claim, 0 with a reason, 6 open\n"
        "2 words: 1 with a claim, 0 with a reason, 1 open\n"
        "1 name: 0 with a claim, 1 with a reason, 0 open\n"
        "4 sentences: 0 with a claim, 0 with a reason, 4 open\n"
    )
    fill_in(folder)
    assert cover(folder) == 0
    assert "0 open" in capsys.readouterr().out


def test_names_have_a_reason_of_their_own(folder):
    cover(folder, "--update")
    assert [row.reason for row in inventory(folder) if row.kind == "name"] == ["name"]


def test_no_sentence_ends_up_in_the_inventory(folder):
    cover(folder, "--update")
    content = (folder / "post.numbers.csv").read_bytes()
    assert b"\r" not in content and content.endswith(b"\n")
    for row in csv.reader(content.decode().splitlines()[1:]):
        cells = dict(zip(Row._fields, row))
        assert (cells["kind"] == "sentence") == (cells["typed"] == "") == (len(cells["sha"]) == 8)
    found = list(coverage.find(POST))
    for sentence in (item.around for item in found if item.kind == Kind.SENTENCE):
        assert sentence.encode() not in content
    assert all(len(item.typed.split()) <= 2 for item in found)


def test_updating_twice_changes_nothing(folder):
    cover(folder, "--update")
    rows = fill_in(folder)
    before = (folder / "post.numbers.csv").read_bytes()
    assert cover(folder, "--update") == 0
    assert (folder / "post.numbers.csv").read_bytes() == before and inventory(folder) == rows


def test_reasons_stay_when_the_text_moves(folder):
    cover(folder, "--update")
    path = folder / "post.numbers.csv"
    rows = [row._replace(reason=f"{row.section}: {row.key()}") if row.is_open() else row for row in inventory(folder)]
    coverage.write(path, rows)
    text = POST.replace("## Setup\n\nThe pond", "## Setup\n\nIn 1999 it was new. Is it now? The pond", 1)
    text = text.replace(
        "Ducks lay 12 eggs. Nobody knows why they do.", "Nobody knows **why** they do. Ducks lay 12 eggs."
    )
    (folder / "post.md").write_text(text)
    assert cover(folder) == 1  # of another text
    assert cover(folder, "--update") == 1
    after = inventory(folder)
    new = [row for row in after if row.is_open()]
    assert [(row.kind, row.section, row.ordinal, row.typed) for row in new] == [
        ("number", "Setup", 1, "1999"), ("sentence", "Setup", 1, ""),
    ]  # fmt: skip
    assert {row[:2] + row[3:] for row in rows} == {row[:2] + row[3:] for row in after if row not in new}


def test_of_equal_numbers_each_keeps_its_own_reason(tmp_path):
    (tmp_path / "post.yaml").write_text("claims: []\n")
    (tmp_path / "post.md").write_text("## A\n\nFirst 8, 1 and 8, 2.\n")
    cover(tmp_path, "--update")
    reasons = dict(enumerate(["first", "one", "second", "two"]))
    rows = [row._replace(reason=reasons[index]) for index, row in enumerate(inventory(tmp_path))]
    coverage.write(tmp_path / "post.numbers.csv", rows)
    (tmp_path / "post.md").write_text("## A\n\nNew 5, 8. First 8, 1 and 8, 2.\n")
    cover(tmp_path, "--update")
    assert [row.reason for row in inventory(tmp_path)] == ["", "", "first", "one", "second", "two"]


def test_a_changed_sentence_is_noticed(folder):
    cover(folder, "--update")
    fill_in(folder)
    (folder / "post.md").write_text(POST.replace("Nobody knows", "Everybody knows"))
    assert cover(folder) == 1
    assert cover(folder, "--update") == 1
    assert [row.ordinal for row in inventory(folder) if row.is_open()] == [1]


def test_a_claim_that_is_no_more_leaves_its_row_open(folder):
    cover(folder, "--update")
    rows = fill_in(folder)
    rows[0] = rows[0]._replace(claim="cold_pond eggs_laid", reason="")
    coverage.write(folder / "post.numbers.csv", rows)
    assert cover(folder) == 0  # a finding may speak of it too
    (folder / "post.yaml").write_text(CLAIMS.replace("eggs_laid", "eggs_got").replace("cold_pond", "warm_pond"))
    assert cover(folder, "--update") == 1
    after = inventory(folder)
    assert after[0].is_open() and after[2].claim == "eggs_got"


def test_names_of_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "claims").mkdir()
    (folder / "claims/my_post.yaml").write_text(CLAIMS)
    (folder / "my-post.md").write_text(POST)
    parser = ArgumentParser()
    coverage.add_arguments(parser)
    coverage.main(parser.parse_args(["my-post.md", "--update"]))
    assert (folder / "claims/my_post.numbers.csv").exists()


@pytest.mark.parametrize("missing", ["post.md", "post.numbers.csv"])
def test_missing_files(folder, missing):
    cover(folder, "--update")
    (folder / missing).unlink()
    with pytest.raises(ArtefactError, match="cannot read the") as raised:
        cover(folder)
    assert raised.value.context["file"] == folder / missing and raised.value.remedy


@pytest.mark.parametrize(
    "content, key",
    [
        ("claims: 3\n", "claims"),
        ("claims: [{id: a, where: b}]\n", "claims"),
        ("claims: [{id: a, where: b, posted: many}]\n", "posted"),
        ("claims: []\nfindings: [{where: b}]\n", "findings"),
    ],
)
def test_claims_that_are_off(folder, content, key):
    (folder / "post.yaml").write_text(content)
    with pytest.raises(ClaimError) as raised:
        cover(folder, "--update")
    assert raised.value.context["file"] == folder / "post.yaml" and raised.value.context["key"] == key


HEADER = ",".join(Row._fields)
SOUND = ["number,A,1,8,,eggs,", "number,A,2,9,,,year", "sentence,A,1,,0123abcd,,opinion", "number,B,1,8,,eggs more,"]


def checked(tmp_path, lines):
    path = tmp_path / "post.numbers.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    coverage.check(path, {"eggs", "more"})


def test_a_sound_inventory_passes(tmp_path):
    checked(tmp_path, [HEADER, *SOUND])


@pytest.mark.parametrize(
    "position, line, message, key",
    [
        (0, "kind,section,ordinal", "not the header", "header"),
        (0, "", "not the header", "header"),
        (1, "figure,A,1,8,,eggs,", "unknown kind", "kind"),
        (1, "number,A,1,8,,egs,", "unknown claim", "claim"),
        (1, "number,A,1,8,,,", "neither a claim nor a reason", "reason"),
        (1, "number,A,1,8,,eggs,year", "a claim and a reason", "reason"),
        (1, "number,A,2,8,,eggs,", "ordinal jumps", "ordinal"),
        (2, "number,A,1,9,,,year", "ordinal jumps", "ordinal"),
        (1, "number,A,first,8,,eggs,", "not an ordinal", "ordinal"),
        (1, "number,A,1,,,eggs,", "nothing typed", "typed"),
        (1, "number,A,1,8,0123abcd,eggs,", "not a digest", "sha"),
        (3, "sentence,A,1,Ducks swim.,0123abcd,,opinion", "has no place", "typed"),
        (3, "sentence,A,1,,,,opinion", "not a digest", "sha"),
        (3, "sentence,A,1", "another length", None),
    ],
)
def test_inventories_that_are_off(tmp_path, position, line, message, key):
    lines = [HEADER, *SOUND]
    lines[position] = line
    with pytest.raises(ClaimError, match=message) as raised:
        checked(tmp_path, lines)
    context = raised.value.context
    assert context["file"] == tmp_path / "post.numbers.csv" and context.get("key") == key
    assert position == 0 or context["line"] == position + 1
    assert context["allowed"] and "value" in context or key == "typed"
    assert "Ducks swim" not in str(raised.value)
