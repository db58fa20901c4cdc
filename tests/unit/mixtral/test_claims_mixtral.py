"""The claims of the post say how many seeds they speak of; params.yaml has the seeds."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MIXTRAL = yaml.safe_load((ROOT / "params.yaml").read_text())["mixtral"]
WORDS = "two three four five six seven eight nine ten".split()
OF_PLAYS = {len(MIXTRAL["race"]["seeds"]), len(MIXTRAL["router_balance"]["seeds"])}
OF_POSTED_TEXT = {len(MIXTRAL["posted_text"]["race_seeds"]), len(MIXTRAL["posted_text"]["balance_seeds"])}


def texts(content) -> Iterator[str]:
    if isinstance(content, str):
        yield " ".join(content.split())
    elif isinstance(content, dict | list):
        for each in content.values() if isinstance(content, dict) else content:
            yield from texts(each)


SPOKEN = [
    (found[1].lower(), text)
    for text in texts(yaml.safe_load((ROOT / "claims/mixtral.yaml").read_text()))
    for found in re.finditer(rf"\b({'|'.join(WORDS)}) seeds", text, flags=re.IGNORECASE)
]


def test_there_are_such_sentences_of_both_texts():
    assert {"plays" in text for _, text in SPOKEN} == {True, False}


@pytest.mark.parametrize("word, text", SPOKEN, ids=range(len(SPOKEN)))
def test_a_sentence_says_as_many_seeds_as_the_params_have(word, text):
    seeds = OF_PLAYS if "plays" in text.lower() else OF_POSTED_TEXT
    assert seeds == {2 + WORDS.index(word)}, text
