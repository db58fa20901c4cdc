"""What users' files say: line ends, words that other programs take for something else, numbers of two kinds of YAML."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings, strategies
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import figures_helpers
from postproof.core import files, strict_yaml, tables, texts
from postproof.core.errors import DataError, ParamsError
from postproof.data import fetch_package, packages, prepare_corpus
from postproof.engines import params

# Each is something to pandas, YAML, a spreadsheet, matplotlib or HTML.
WORDS = (
    r"""None NA null NaN nan n/a true False inf -inf 1e5 007 1_000 0x1F ~ $$ $x$ $ \$ $\frac$ _ _x % %s {} <b> &amp;"""
    r""" =1+1 @ - # " ' , ;"""
).split()
TEXT = "Größe: naïve 日本 🎲\n\nWhat hour\nis it now?\n"
WRITTEN = {
    "as is": TEXT.encode(),
    "byte order mark": TEXT.encode("utf-8-sig"),
    "CRLF": TEXT.replace("\n", "\r\n").encode(),
    "CR": TEXT.replace("\n", "\r").encode(),
    "all": TEXT.replace("\n", "\r\n").encode("utf-8-sig"),
}


# --- Text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", WRITTEN)
def test_a_text_is_the_same_text_whatever_editor_wrote_it(tmp_path, written):
    (tmp_path / "text.txt").write_bytes(WRITTEN[written])
    assert texts.read(tmp_path / "text.txt") == TEXT
    made = []
    for name, content in (("text.txt", WRITTEN[written]), ("other/text.txt", TEXT.encode())):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        out = ["--out-arrays", f"{path}.safetensors", "--out-info", f"{path}.json"]
        options = ["--section", "mixtral.corpus", "--characters", len(TEXT), "--train-fraction", 0.9]
        figures_helpers.run("data.prepare_corpus", ["--text", path, *options, *out])
        made.append([Path(f"{path}.safetensors").read_bytes(), Path(f"{path}.json").read_bytes()])
    assert made[0] == made[1]
    assert "\r" not in prepare_corpus.load(tmp_path / "text.txt.safetensors").vocabulary


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_and_yaml_of_another_editor_are_the_same(tmp_path, mark, end):
    (tmp_path / "a.csv").write_bytes(f'{mark}kind,sentence\na,"two\nlines"\nb,one\n'.replace("\n", end).encode())
    (tmp_path / "a.yaml").write_bytes(f"{mark}a: 1\nb: |\n  two\n  lines\n".replace("\n", end).encode())
    table = files.read_csv(tmp_path / "a.csv", ["kind", "sentence"], words=["kind", "sentence"])
    assert table.to_dict("list") == {"kind": ["a", "b"], "sentence": ["two\nlines", "one"]}
    assert params.load(tmp_path / "a.yaml") == {"a": 1, "b": "two\nlines\n"}


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [WORDS, *([word] for word in WORDS), ["1", "2"]], ids=" ".join)
def test_words_come_out_of_a_table_as_they_went_in(tmp_path, words):
    path = tmp_path / "table.csv"
    files.write_csv(path, pd.DataFrame({"word": words, "number": range(len(words))}))
    assert files.read_csv(path, words=["word"])["word"].tolist() == words
    if words != ["1", "2"] and words != ["False"]:
        assert files.read_csv(path, labels=["word", "number"])["word"].tolist() == words
    assert files.read_csv(path, labels=["word", "number"])["number"].tolist() == list(range(len(words)))


@given(cells=strategies.lists(strategies.floats(allow_nan=False, allow_infinity=False), min_size=1))
@settings(deadline=None)
def test_numbers_that_we_write_as_labels_are_read_as_numbers(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("labels") / "table.csv"
    files.write_csv(path, pd.DataFrame({"gamma": cells}))
    assert files.read_csv(path, labels=["gamma"]).equals(files.read_csv(path))


@pytest.mark.parametrize("sentence", [" ".join(WORDS), "1 2 3", "nan nan", "$$"])
def test_any_sentence_gets_its_weights_and_is_drawn(tmp_path, sentence):
    section = {"sentence": sentence, "d_model": 16, "heads": 2, "head": 0, "seed": 0}
    table = tmp_path / "attention_weights.csv"
    figures_helpers.run("attention.attention_weights", ["--settings", json.dumps(section), "--out", table])
    read = tables.read(table, "attention/attention_weights")
    assert read.drop_duplicates("key").sort_values("key")["key_word"].tolist() == sentence.split()
    svg, png = figures_helpers.draw("attention", "attention_weights", [table], tmp_path)
    assert svg.startswith(b"<?xml") and png


# --- Numbers of YAML 1.1 and 1.2 -------------------------------------------------------------------------------------


def ours(word: str):
    return yaml.load(f"a: {word}", Loader=strict_yaml.StrictLoader)["a"]


@given(word=strategies.text("0123456789_.eE+-:oxbyYnNfstrua~", min_size=1, max_size=7))
@settings(deadline=None, max_examples=500)
def test_a_word_is_what_dvc_reads_or_refused(word):
    try:
        read = ours(word)
    except (yaml.YAMLError, ValueError):
        return
    try:
        dvcs = YAML(typ="safe").load(f"a: {word}")["a"]
    except YAMLError:
        dvcs = YAMLError
    assert repr(read) == repr(dvcs)


ALIKE = {"5e-5": 5e-5, "1E3": 1000.0, "+.5": 0.5, "1_000": 1000, "0x1F": 31, ".5": 0.5, "'010'": "010", "'yes'": "yes",
         "y": "y", "1.5.2": "1.5.2"}  # fmt: skip


@pytest.mark.parametrize("word, value", ALIKE.items())
def test_words_that_all_read_alike(word, value):
    assert repr(ours(word)) == repr(value)


@pytest.mark.parametrize("word", ["010", "0o10", "12:30", "yes", "No", "ON", "off", "08", "-_1"])
@pytest.mark.parametrize("place", ["a: {}\n", "{}: 1\n", "a: [1, {}]\n"])
def test_words_that_two_versions_of_yaml_read_differently_are_refused(tmp_path, word, place):
    path = tmp_path / "params.yaml"
    path.write_text("first: 1\n" + place.format(word))
    with pytest.raises(ParamsError, match="cannot read YAML") as caught:
        params.load(path)
    for part in (word, "line 2", "YAML 1.1", "YAML 1.2", f"'{word}'", str(path)):
        assert part in str(caught.value)


def test_layers_of_params_lie_over_each_other_key_by_key(tmp_path):
    (tmp_path / "a.yaml").write_text("x: {y: 1, z: {u: 2}}\nw: [1, 2]\n")
    (tmp_path / "b.yaml").write_text("x: {z: {u: 3e2}}\n")
    layered = params.layered([tmp_path / "a.yaml", tmp_path / "b.yaml"], {"w": [3], "x": {"y": 4}})
    assert layered == {"x": {"y": 4, "z": {"u": 300.0}}, "w": [3]} and list(layered["x"]) == ["y", "z"]


# --- pip -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path, monkeypatch) -> tuple[packages.Package, Path]:
    """A package in a folder that pip is to take for the index, and where it is to go."""
    wheel = tmp_path / "links/plays-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("plays-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: plays\nVersion: 1.0\n")
        archive.writestr("plays-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("plays-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return packages.Package("plays", "1.0", files.sha256(wheel)), tmp_path / "raw/plays.whl"


def test_pip_set_to_install_in_its_own_way_still_fetches(index, monkeypatch, tmp_path):
    package, out = index
    (tmp_path / "pip.conf").write_text("[global]\nuser = true\nrequire-virtualenv = true\n[install]\nuser = true\n")
    (tmp_path / "constraints.txt").write_text("plays>=0.5\n")
    for name, value in {
        "USER": "1", "TARGET": "/nowhere", "REQUIRE_VIRTUALENV": "1", "CONSTRAINT": str(tmp_path / "constraints.txt"),
        "CONFIG_FILE": str(tmp_path / "pip.conf"),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PIP_{name}", value)
    fetch_package.fetch(package, out)
    assert files.sha256(out) == package.sha256


@pytest.mark.parametrize("has_bundled_pip", [True, False])
def test_an_environment_without_pip_fetches_with_the_one_that_python_brings_or_says_what_to_do(
    index, tmp_path, has_bundled_pip
):
    ensurepip = pytest.importorskip("ensurepip", reason="this Python brings no pip along")
    if has_bundled_pip and not any(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")):
        pytest.skip("this Python's pip is not beside ensurepip, as Debian's is not")
    package, out = index
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "uv")], check=True)
    hide = "" if has_bundled_pip else "import sys; sys.modules['ensurepip'] = None\n"
    code = f"""{hide}
from pathlib import Path
from postproof.core.errors import DataError
from postproof.data import fetch_package, packages
try:
    fetch_package.fetch(packages.Package(*{(package.name, package.version, package.sha256)!r}), Path({str(out)!r}))
except DataError as error:
    print(error)
"""
    source = str(Path(fetch_package.__file__).parents[2])
    run = [str(tmp_path / "uv/bin/python"), "-c", code]
    done = subprocess.run(run, env=os.environ | {"PYTHONPATH": source}, capture_output=True, text=True, check=True)
    assert out.exists() == has_bundled_pip, done.stdout
    if not has_bundled_pip:
        assert "has no pip" in done.stdout and "uv pip install pip" in done.stdout and str(out) in done.stdout


def test_a_wheel_of_another_hash_is_no_package(index):
    package, out = index
    with pytest.raises(DataError, match="pip could not fetch"):
        fetch_package.fetch(packages.Package(package.name, package.version, "0" * 64), out)
    assert not out.exists()
