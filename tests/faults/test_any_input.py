"""Whatever stands in params, claims, tables and files is read, or refused by an error of its family that names it."""

import copy
import datetime
import json
import math
import re
import subprocess
import sys

import numpy
import pandas
import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faults_helpers import SIZES
from postproof.claims import document
from postproof.core import files, strict_yaml, tables
from postproof.core.errors import ArtefactError, ClaimError, ParamsError
from postproof.core.settings import parse
from postproof.engines import params
from postproof.mixtral.settings import ModelSizes
from workflow_helpers import ROOT

GOOD = params.load(ROOT / "params.yaml")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**400), 10**400), st.floats(), st.text(max_size=20),
    st.dates(), st.datetimes(), st.binary(max_size=5), st.sampled_from(["3e-4", "1e999", "{x}", "\x00"]),
)  # fmt: skip
KEYS = st.one_of(st.text(max_size=8), st.integers(), st.none(), st.booleans(), st.floats(allow_nan=False), st.dates())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
ANY_FOLDER = [HealthCheck.function_scoped_fixture]  # a file of the test's folder is written anew by each example


def dotted(content: dict, above: tuple = ()) -> list[tuple]:
    """The keys of every value, sections included."""
    found = []
    for key, value in content.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found += dotted(value, (*above, key))
    return found


@pytest.mark.fault("any value in the place of another", "params.yaml")
@settings(max_examples=25)
@given(key=st.sampled_from(dotted(GOOD)), value=VALUES)
@example(key=("mode",), value={datetime.date(2000, 1, 1): None})
@example(key=("mixtral", "optimiser", "batch"), value=10**400)
@example(key=("mixtral", "optimiser", "learning_rate"), value=10**400)
def test_any_value_at_any_key_of_params_is_valid_or_named(key, value):
    content = copy.deepcopy(GOOD)
    *path, last = key
    section = content
    for part in path:
        section = section[part]
    section[last] = value
    try:
        params.validate(content, "params.yaml", ROOT)
    except ParamsError as error:
        assert error.context["file"] == "params.yaml" and len(str(error)) < 3000
        assert {"key", "section"} & set(error.context)


@pytest.mark.fault("any value in the place of another", "a job's section")
@given(content=st.one_of(VALUES, st.fixed_dictionaries({key: SCALARS for key in SIZES})))
def test_any_json_is_a_section_or_a_params_error(content):
    try:
        assert isinstance(parse(ModelSizes, json.dumps(content, default=str, skipkeys=True)), ModelSizes)
    except ParamsError as error:
        assert "ModelSizes" in error.message
    except ValueError as error:  # Python writes no integer of more than 4300 digits, and reads none
        assert "digits" in str(error)


NESTED = {"lists": "[" * 100_000, "mappings": '{"a":' * 100_000}


@pytest.mark.fault("deeply nested", "JSON")
@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED.keys())
def test_deeply_nested_json_is_a_clean_error(tmp_path, text):
    with pytest.raises(ParamsError):
        parse(ModelSizes, text)
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(ArtefactError):
        files.read_json(tmp_path / "claims.json")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
YAML_TEXTS = {
    "bomb of aliases": BOMB,
    "alias of itself": "a: &a [*a]\n",
    "deeply nested": "a: " + "[" * 100_000,
    "deeply nested blocks": "".join(" " * level + "a:\n" for level in range(3000)),
    "impossible date": "a: 2001-99-99\n",
    "impossible time": "a: 2001-01-01 99:99:99\n",
    "key that is a list": "? [a]\n: b\n",
    "key that is a mapping": "? {a: b}\n: c\n",
    "merge of no mapping": "<<: 3\n",
    "merge of a list": "<<: [3]\n",
    "tag of an object": "a: !!python/object/apply:os.system ['touch executed']\n",
    "tag of a binary that is none": "a: !!binary '%%%'\n",
    "tag of a set": "a: !!set [b]\n",
    "tag of an integer that is none": "a: !!int 'b'\n",
    "tag of a float that is none": "a: !!float 'b'\n",
    "integer of many digits": "a: " + "9" * 5000 + "\n",
    "hexadecimal of many digits": "a: 0x" + "f" * 5000 + "\n",
    "sexagesimal": "a: 190:20:30\n",
    "null byte": "a: \x00\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "nothing": "",
    "directive": "%YAML 9.9\n---\na: 1\n",
    "tab": "a:\n\t- b\n",
    "lone surrogate": 'a: "\\ud800"\n',
}
WHILE_READ = """
import resource, sys
from pathlib import Path
from postproof.core import strict_yaml
from postproof.core.errors import ParamsError
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for numbers_as_text in (False, True):
    try:
        content = strict_yaml.load("params.yaml", ParamsError, numbers_as_text=numbers_as_text)
        repr(content)[:10]
    except ParamsError as error:
        assert "params.yaml" in str(error) and len(str(error)) < 2000
"""


@pytest.mark.fault("YAML that is a bomb, no data, or not what it says", "a reader")
@pytest.mark.parametrize("text", YAML_TEXTS.values(), ids=YAML_TEXTS.keys())
def test_odd_yaml_is_read_or_named_in_a_second_and_a_gigabyte_and_nothing_runs(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text, errors="surrogatepass")
    line = [sys.executable, "-c", WHILE_READ]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists()


@pytest.mark.fault("any text", "a YAML reader")
@settings(suppress_health_check=ANY_FOLDER)
@given(text=st.text() | st.text(alphabet="ab:[]{}&*!<>|-?,# \n'\"%\t0123"), numbers_as_text=st.booleans())
def test_any_text_is_a_mapping_or_an_error_of_the_family(tmp_path, text, numbers_as_text):
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        assert isinstance(strict_yaml.load(path, ParamsError, numbers_as_text=numbers_as_text), dict)
    except ParamsError as error:
        assert error.context["file"] == path


CLAIMS = strict_yaml.load(ROOT / "claims/mdp.yaml", ClaimError, numbers_as_text=True)
SMALL = CLAIMS | {"claims": CLAIMS["claims"][:6], "findings": CLAIMS.get("findings", [])[:2]}


def places(content, above=()) -> list[tuple]:
    """The path to every value of a document."""
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    found = []
    for key, value in entries:
        found += [(*above, key), *places(value, (*above, key))]
    return found


@pytest.mark.fault("any value in the place of another", "claims")
@settings(max_examples=100, suppress_health_check=ANY_FOLDER)
@given(place=st.sampled_from(places(SMALL)), value=VALUES)
def test_any_value_at_any_place_of_the_claims_is_read_or_a_claim_error(tmp_path, place, value):
    content = copy.deepcopy(SMALL)
    *path, last = place
    section = content
    for part in path:
        section = section[part]
    section[last] = value
    path = tmp_path / "mdp.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    others = [ROOT / f"claims/{name}.yaml" for name in CLAIMS.get("others", [])]
    try:
        document.read(path, others)
    except ClaimError as error:
        assert str(error)


SCHEMA = {
    "name": tables.Column("name", "label", "of the row"),
    "count": tables.Column("count", "1", "of things", at_least=0),
    "share": tables.Column("share", "1", "of all", may_be_empty=True),
}
LABELS = st.text(min_size=1, max_size=12)


def digits(number: float) -> float:
    """As a table keeps it."""
    return float(files.FLOAT_FORMAT % number)


@pytest.mark.fault("any text", "a table's labels")
@settings(max_examples=100, suppress_health_check=ANY_FOLDER)
@given(
    rows=st.lists(
        st.tuples(LABELS, st.integers(0, 2**53), st.none() | st.floats(-1e300, 1e300)),
        min_size=1,
    )
)
def test_a_table_that_is_written_is_read_as_it_was_or_refused_before(tmp_path, rows):
    path = tmp_path / "table.csv"
    path.unlink(missing_ok=True)
    frame = pandas.DataFrame(rows, columns=list(SCHEMA)).astype({"share": float})
    frame["share"] = frame["share"].map(lambda number: number if math.isnan(number) else digits(number))
    try:
        tables.check(frame, SCHEMA, path)
    except ArtefactError as error:
        assert error.context["column"] == "name" and not path.exists()
        return
    files.write_csv(path, frame)
    found = files.read_csv(path)
    tables.check(found, SCHEMA, path)
    assert list(found["name"].astype(str)) == list(frame["name"]) or labels_look_like_numbers(frame["name"])
    numpy.testing.assert_array_equal(found["count"], frame["count"])
    numpy.testing.assert_array_equal(found["share"], frame["share"])


def labels_look_like_numbers(labels: pandas.Series) -> bool:
    """A column of labels that all are numbers or truth values comes back as such: as `seed` does."""
    words = {"true", "false", "inf", "infinity", "nan"}
    return labels.map(lambda text: text.strip().lower().lstrip("+-") in words or bool(re.search(r"\d", text))).all()


@pytest.mark.fault("any text", "a table")
@settings(max_examples=100, suppress_health_check=ANY_FOLDER)
@given(content=st.binary() | st.text(alphabet="ab,\"'\n\r019.e+-\t\x00é").map(str.encode))
def test_any_bytes_are_a_table_or_an_artefact_error(tmp_path, content):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        assert len(files.read_csv(path, ["a"], ["b"]))
    except ArtefactError as error:
        assert error.context["file"] == path


@pytest.mark.fault("any bytes", "a JSON reader")
@settings(suppress_health_check=ANY_FOLDER)
@given(content=st.binary() | VALUES.map(lambda value: json.dumps(value, default=str, skipkeys=True)[:4000].encode()))
def test_any_bytes_are_json_or_an_artefact_error(tmp_path, content):
    path = tmp_path / "any.json"
    path.write_bytes(content)
    try:
        files.read_json(path)
    except ArtefactError as error:
        assert error.context["file"] == path


@pytest.mark.fault("flipped byte, truncation or other bytes", "tensors")
@settings(max_examples=100, suppress_health_check=ANY_FOLDER)
@given(
    at=st.integers(0, 10**6),
    byte=st.integers(0, 255),
    length=st.none() | st.integers(0, 400),
    other=st.binary(max_size=40),
)
def test_damaged_tensors_are_read_or_an_artefact_error(tmp_path, at, byte, length, other):
    path = tmp_path / "any.safetensors"
    files.save_tensors(path, {"a": torch.arange(6.0), "b": torch.ones(2, 3)}, {"step": 3})
    whole = bytearray(path.read_bytes())
    whole[at % len(whole)] = byte
    path.write_bytes((bytes(whole)[:length] if length is not None else bytes(whole)) + other * (length is not None))
    try:
        files.load_tensors(path)
    except ArtefactError as error:
        assert error.context["file"] == path


FORMULAS = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "\t=1+1",
]


@pytest.mark.fault("formula of a spreadsheet", "a table's labels")
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_label_that_a_spreadsheet_would_run_is_neither_written_nor_read(tmp_path, formula):
    frame = pandas.DataFrame({"name": [formula], "count": [1], "share": [0.5]})
    with pytest.raises(ArtefactError, match="formula"):
        tables.check(frame, SCHEMA, tmp_path / "table.csv")
