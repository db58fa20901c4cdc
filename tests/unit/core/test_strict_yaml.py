"""YAML read strictly, for params, configurations and claims alike."""

import pytest

from postproof.core import strict_yaml
from postproof.core.errors import ClaimError, ParamsError


@pytest.mark.parametrize(
    "content, message, cause",
    [
        ("a: 1\na: 2\n", "cannot read YAML", "key 'a' stands twice"),
        ("x: {b: 1, b: 1}\n", "cannot read YAML", "key 'b' stands twice"),
        ("a: [\n", "cannot read YAML", "ParserError"),
        (b"a: \xff\n", "cannot read YAML", "UnicodeDecodeError"),
        (None, "cannot read YAML", "FileNotFoundError"),
        ("- a\n", "not a mapping", ""),
        ("", "not a mapping", ""),
    ],
)
def test_what_is_no_mapping_is_an_error_of_the_caller(tmp_path, content, message, cause):
    path = tmp_path / "some.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for family in (ParamsError, ClaimError):
        with pytest.raises(family, match=message) as caught:
            strict_yaml.load(path, family, remedy="mend it")
        assert caught.value.context["file"] == path and caught.value.remedy == "mend it"
        assert cause in str(caught.value)


def test_numbers_or_what_was_typed(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("a: 25.310\nb: [1, 2e11, 0x10]\nc: 2025-11-25\nd: true\ne: null\nf: word\n<<: {g: 1}\n")
    numbers = strict_yaml.load(path, ParamsError)
    assert numbers["a"] == 25.31 and numbers["b"][0] == 1 and numbers["g"] == 1
    assert strict_yaml.load(path, ParamsError, numbers_as_text=True) == {
        "a": "25.310", "b": ["1", "2e11", "0x10"], "c": "2025-11-25", "d": True, "e": None, "f": "word", "g": "1",
    }  # fmt: skip
