"""Count the letters of the first words."""

from pathlib import Path

from postproof.core import files
from postproof.core.errors import DataError


def add_arguments(parser) -> None:
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--words", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)


def main(args) -> None:
    words = args.text.read_text(encoding="utf-8").split()
    if len(words) < args.words:
        raise DataError("text is too short", file=args.text, words_found=len(words), words_needed=args.words)
    files.write_json(args.out, {"mean_length": mean_length(words[: args.words])})


def mean_length(words: list[str]) -> float:
    return sum(map(len, words)) / len(words)


def not_used_by_the_job() -> int:
    return 1
