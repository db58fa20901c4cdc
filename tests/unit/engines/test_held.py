"""Inputs that are not ours to ship: known by their hash, whatever a folder or the hub hands over."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
import yaml

from postproof.core.errors import DataError
from postproof.data import hub
from postproof.engines import held

TEXT = "".join(f"Line {number} of the text.\n" for number in range(100))
BLOCK = 500


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def root(tmp_path):
    """A checkout with one held input, and beside it a reader's folder that has the text."""
    blocks = [sha256(TEXT[start : start + BLOCK])[:8] for start in range(0, len(TEXT), BLOCK)]
    content = {
        "what": "a text", "source": "a source", "licence": "a licence", "file_name": "mine.txt",
        "path": "data/raw/held.txt", "from_hub": "tinystories", "characters": len(TEXT), "sha256": sha256(TEXT),
        "block_characters": BLOCK, "block_sha256": blocks,
    }  # fmt: skip
    (tmp_path / "checkout/data/held").mkdir(parents=True)
    (tmp_path / "checkout/data/held/a_text.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/mine.txt").write_text(TEXT)
    return tmp_path / "checkout"


def test_a_readers_file_is_put_in_place_once(root):
    folder = root.parent / "folder"
    assert held.place(root, folder) == ["data/raw/held.txt"]
    assert (root / "data/raw/held.txt").read_bytes() == TEXT.encode()
    (folder / "mine.txt").unlink()
    assert held.place(root, None) == ["data/raw/held.txt"], "what is in place needs no folder"


@pytest.mark.parametrize(
    "wrong, says",
    [
        (TEXT[:1200] + "X" + TEXT[1201:], ["among characters 1000 to 1499"]),
        (TEXT[:700], ["among characters 500 to 999", f"needed: {len(TEXT)}", "found: 700"]),
        (TEXT + "and more", ["cut it after"]),
    ],
)
def test_another_text_is_refused_and_told_where_it_differs(root, wrong, says):
    file = root.parent / "folder/mine.txt"
    file.write_bytes(wrong.encode())
    with pytest.raises(DataError, match="not the text") as error:
        held.place(root, file.parent)
    for part in (str(file), *says):
        assert part in str(error.value)
    assert not (root / "data/raw/held.txt").exists()


def test_a_wrong_text_in_place_is_refused_and_left(root):
    (root / "data/raw").mkdir()
    (root / "data/raw/held.txt").write_text("mine")
    with pytest.raises(DataError, match="not the text"):
        held.place(root, root.parent / "folder")
    assert (root / "data/raw/held.txt").read_text() == "mine"


def test_a_folder_that_is_not_there_is_named_and_the_hub_not_asked(root, monkeypatch):
    monkeypatch.setattr(hub, "texts", lambda corpus, remedy: pytest.fail("asked the hub"))
    with pytest.raises(DataError, match="no such folder") as caught:
        held.place(root, root / "elsewhere")
    assert caught.value.context["folder"] == root / "elsewhere"


@pytest.mark.parametrize("written", [TEXT.replace("\n", "\r\n").encode(), TEXT.encode("utf-8-sig")])
def test_a_readers_file_with_another_editors_line_ends_is_the_text(root, monkeypatch, written):
    (root.parent / "folder/mine.txt").write_bytes(written)
    monkeypatch.setenv("HOME", str(root.parent))
    held.place(root, Path("~/folder"))
    assert (root / "data/raw/held.txt").read_bytes() == TEXT.encode()


def test_without_a_folder_the_hub_is_asked_and_its_stories_are_joined_by_one_newline(root, monkeypatch):
    stories = TEXT.rstrip("\n").split("\n")
    monkeypatch.setattr(hub, "texts", lambda corpus, remedy: iter(stories))
    held.place(root, None)
    assert (root / "data/raw/held.txt").read_text() == TEXT


def test_without_folder_and_hub_it_is_said_what_to_do(root, monkeypatch):
    (root.parent / "an empty folder").mkdir()
    monkeypatch.setattr(hub, "open_rows", lambda source: hub.Unreachable("no route"))
    with pytest.raises(DataError, match="not at hand") as error:
        held.place(root, root.parent / "an empty folder")
    assert "mine.txt" in str(error.value) and held.FOLDER in str(error.value)


def test_what_is_not_of_the_form_is_named(root):
    (root / "data/held/other.yaml").write_text("what: a text\n")
    with pytest.raises(DataError, match="not a held input") as error:
        held.read_all(root)
    assert "other.yaml" in str(error.value)


def test_the_projects_own_are_of_that_form():
    from workflow_helpers import ROOT

    for item in held.read_all(ROOT):
        assert len(item.sha256) == 64 and item.from_hub in hub.SOURCES
        assert len(item.block_sha256) == -(-item.characters // item.block_characters)
        assert dataclasses.asdict(item)["path"].startswith("data/raw/")
