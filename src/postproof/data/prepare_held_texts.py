"""Collect the texts on which a pretrained model is scored: the start of Shakespeare, and a page of our own.

Shakespeare is in every web corpus, so a pretrained model has likely read it; the page was written for this project in
2026, after SmolLM2 (2024), so that no model of that time can have seen it.
"""

from __future__ import annotations

from pathlib import Path

from postproof.core import files
from postproof.data.prepare_corpus import read_text

SECTION = "llama2.held_texts"


def add_arguments(parser) -> None:
    parser.add_argument("--shakespeare", type=Path, required=True, help="UTF-8 text")
    parser.add_argument("--characters", type=int, required=True, help="how many to take from its start")
    parser.add_argument("--page", type=Path, required=True, help="UTF-8 text, taken whole")
    parser.add_argument("--out", type=Path, required=True, help="JSON: text by name")


def main(args) -> None:
    shakespeare = read_text(args.shakespeare, SECTION, args.characters)
    files.write_json(args.out, {"shakespeare": shakespeare, "plain_english": read_text(args.page, SECTION)})
