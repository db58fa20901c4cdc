"""List every number of a post's text with the claim that speaks of it, or the reason why none does.

The text is the author's and stays out of the repository. What is committed is its inventory,
claims/{post}.numbers.csv: numbers, number words and names as typed; of a sentence without a number only a digest.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import hashlib
import html
import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from postproof.claims.strict import mapping, naming, one_of, shown, text
from postproof.core import files, strict_yaml, texts
from postproof.core.errors import ArtefactError, ClaimError

TITLE, OPENING = "title", "opening"  # sections that have no heading of their own
NAME_REASON = "name"
WIDTH = 100  # characters of the text, in the table for the author


class Kind(StrEnum):
    NUMBER = "number"
    WORD = "word"  # a number in letters
    NAME = "name"  # digits that count nothing: GPT-2, RTX 3090, version 2.1.0
    SENTENCE = "sentence"  # one with neither number nor word


class Row(NamedTuple):
    """A line of the inventory. `ordinal` counts this kind in this section, from 1."""

    kind: str
    section: str
    ordinal: int
    typed: str  # empty for a sentence
    sha: str  # of a sentence, else empty
    claim: str  # ids of claims or findings, with spaces between
    reason: str  # why no claim speaks of it

    def key(self) -> str:
        return self.typed or self.sha

    def is_open(self) -> bool:
        return not self.claim and not self.reason


@dataclass(frozen=True)
class Section:
    """A part of the post under one heading. `heading` lacks the "(2)" that `name` has where a heading stands twice."""

    name: str
    heading: str
    parents: tuple[str, ...] = ()  # headings, nearest first


@dataclass(frozen=True)
class Block:
    """A piece of the post that is not split over: a paragraph or list item, a heading, code, a table row, a formula."""

    section: Section
    form: str  # prose, line, code or math
    text: str


@dataclass(frozen=True)
class Found:
    """What stands in the text. `around` is for the author's eyes: it is printed and never written."""

    kind: Kind
    section: Section
    typed: str
    sha: str
    around: str

    def key(self) -> str:
        return self.typed or self.sha


@dataclass(frozen=True)
class Spoken:
    """What a claim says and where. `value` is None and `posted` empty for a statement; `posted` has no commas."""

    id: str
    where: str
    posted: str
    value: Decimal | None
    unit: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("post", type=Path, metavar="POST_MD", help="the post's text, in Markdown")
    parser.add_argument("--claims", type=Path, help="claims/{post}.yaml; by default the one named as the text is")
    parser.add_argument("--inventory", type=Path, help="{post}.numbers.csv; by default beside the claims")
    parser.add_argument("--update", action="store_true", help="write the inventory anew; claims and reasons stay")


def main(args: argparse.Namespace) -> int:
    """Prints what is open and the counts; returns 1 if anything is, or if the inventory is out of date.

    Raises ArtefactError when the text or the inventory is missing, ClaimError when the claims or the inventory are off.
    """
    claims_path = args.claims or Path("claims") / f"{args.post.stem.replace('-', '_')}.yaml"
    inventory = args.inventory or claims_path.with_name(f"{claims_path.stem}.numbers.csv")
    found = list(find(_text_of(args.post)))
    claims, ids = read_claims(claims_path)
    before = [] if args.update and not inventory.exists() else read(inventory)
    rows = merge(found, before, claims, ids)
    if args.update:
        write(inventory, rows)
    report(rows, found)
    stale = not args.update and rows != before
    if stale:
        print(f"\n{inventory} is of another text or other claims: --update writes it anew")
    return int(stale or any(row.is_open() for row in rows))


def _text_of(post: Path) -> str:
    try:
        return texts.read(post)
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError("cannot read the post", file=post, remedy="give the post's text, in Markdown") from error


def report(rows: Sequence[Row], found: Sequence[Found]) -> None:
    """Prints the open rows with what stands around them, and how many there are of each kind."""
    table = [
        (row.kind, shown(row.section, 40), row.ordinal, row.typed, shown(item.around, WIDTH))
        for row, item in zip(rows, found)
        if row.is_open()
    ]
    if table:
        print(tabulate(table, ("kind", "section", "ordinal", "typed", "text"), disable_numparse=True), end="\n\n")
    print(counts(rows))


def counts(rows: Iterable[Row]) -> str:
    """One line for each kind: how many rows have a claim, a reason, neither."""
    tally = Counter((row.kind, "open" if row.is_open() else "claim" if row.claim else "reason") for row in rows)
    lines = []
    for kind in Kind:
        claim, reason, left = (tally[kind.value, state] for state in ("claim", "reason", "open"))
        total = claim + reason + left
        lines.append(f"{total} {kind}{'s' * (total != 1)}: {claim} with a claim, {reason} with a reason, {left} open")
    return "\n".join(lines)


# --- The inventory ---------------------------------------------------------------------------------------------------


def check(inventory_path: Path, claim_ids: Collection[str]) -> None:
    """That the inventory is whole and agrees with the claims; the post's text is not needed.

    Raises ClaimError naming the file, the line and the column; ArtefactError when the file cannot be read.
    """
    for line, row in enumerate(read(inventory_path), start=2):
        with naming(file=inventory_path, line=line):
            with naming(key="claim"):
                for identifier in row.claim.split():
                    one_of(identifier, sorted(claim_ids), "claim")
            if row.is_open():
                raise ClaimError("neither a claim nor a reason", key="reason", value=f"{row.kind} {row.ordinal}",
                                 section=row.section, remedy="name the claim that speaks of it, or write why none does",
                                 allowed="one of both")  # fmt: skip


def read(path: Path) -> list[Row]:
    """The rows of an inventory; a row may still be open.

    Raises ArtefactError when the file cannot be read, ClaimError naming the line when a row is not one.
    """
    try:
        content = texts.read(path)
        lines = list(csv.reader(io.StringIO(content), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        remedy = "write it with `postproof coverage POST.md --update`"
        raise ArtefactError("cannot read the inventory", file=path, remedy=remedy) from error
    if not lines or tuple(lines[0]) != Row._fields:
        raise ClaimError("not the header of an inventory", file=path, key="header",
                         value=shown(",".join(lines[0]) if lines else "nothing"),
                         allowed=",".join(Row._fields))  # fmt: skip
    seen: Counter[tuple[str, str]] = Counter()
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        with naming(file=path, line=number):
            row = _row(cells)
            seen[row.kind, row.section] += 1
            if row.ordinal != seen[row.kind, row.section]:
                raise ClaimError("ordinal jumps", key="ordinal", value=row.ordinal,
                                 allowed=seen[row.kind, row.section], section=row.section,
                                 remedy="write the inventory with --update")  # fmt: skip
            rows.append(row)
    return rows


def _row(cells: list[str]) -> Row:
    if len(cells) != len(Row._fields):
        raise ClaimError("row of another length", value=len(cells), allowed=len(Row._fields))
    fields = dict(zip(Row._fields, cells))
    with naming(key="kind"):
        one_of(fields["kind"], list(Kind), "kind")
    if not re.fullmatch("[1-9][0-9]*", fields["ordinal"]):
        raise ClaimError("not an ordinal", key="ordinal", value=shown(fields["ordinal"]), allowed="1, 2, 3, ...")
    row = Row(**fields | {"ordinal": int(fields["ordinal"])})
    is_sentence = row.kind == Kind.SENTENCE
    if is_sentence and row.typed:
        # Not shown: if it is a sentence, it has no place in a log either.
        raise ClaimError("the text of a sentence has no place in an inventory", key="typed", allowed="nothing",
                         remedy="empty the cell")  # fmt: skip
    if not is_sentence and not row.typed:
        raise ClaimError("nothing typed", key="typed", value="", allowed=f"the {row.kind} as typed")
    if not re.fullmatch("[0-9a-f]{8}" if is_sentence else "", row.sha):
        raise ClaimError("not a digest of a sentence", key="sha", value=shown(row.sha),
                         allowed="8 hexadecimal digits" if is_sentence else "nothing")  # fmt: skip
    if row.claim and row.reason:
        raise ClaimError("a claim and a reason why there is none", key="reason", value=shown(row.reason),
                         allowed="one of both")  # fmt: skip
    return row


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes an inventory. Raises ArtefactError when the system refuses."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    files.write_text(path, buffer.getvalue())


def merge(found: Sequence[Found], before: Sequence[Row], claims: Sequence[Spoken], ids: Collection[str]) -> list[Row]:
    """One row for each thing found: its claims and reason as before, else the claims that have its number."""
    kept = _kept(found, before)
    speakers = _Speakers({item.section for item in found}, claims)
    seen: Counter[tuple[str, str]] = Counter()
    rows = []
    for position, item in enumerate(found):
        old = kept.get(position)
        # A claim that is no longer there leaves the row open, so that somebody looks.
        claim = " ".join(identifier for identifier in old.claim.split() if identifier in ids) if old else ""
        reason = old.reason if old else ""
        if not claim and not reason:
            claim = " ".join(speakers.of(item))
            reason = NAME_REASON if item.kind == Kind.NAME and not claim else ""
        place = (item.kind.value, item.section.name)
        seen[place] += 1
        rows.append(Row(*place, seen[place], item.typed, item.sha, claim, reason))
    return rows


def _kept(found: Sequence[Found], before: Sequence[Row]) -> dict[int, Row]:
    """For positions in `found`, the row of before that is the same thing.

    Rows of one kind and section are laid side by side in order, since the same number stands there several times; what
    is left over has moved and goes by what was typed.
    """
    old: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    new: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in before:
        old[row.kind, row.section].append(row)
    for position, item in enumerate(found):
        new[item.kind.value, item.section.name].append(position)
    kept = {}
    for place, positions in new.items():
        rows = old[place]
        keys = [found[position].key() for position in positions]
        matcher = difflib.SequenceMatcher(None, [row.key() for row in rows], keys, autojunk=False)
        pairs = {b + k: a + k for a, b, size in matcher.get_matching_blocks() for k in range(size)}
        left = [index for index in range(len(rows)) if index not in pairs.values()]
        for index, key in enumerate(keys):
            same = [other for other in left if rows[other].key() == key] if index not in pairs else []
            if same:
                pairs[index] = same[0]
                left.remove(same[0])
        kept.update({positions[index]: rows[other] for index, other in pairs.items()})
    return kept


# --- Claims and what they speak of -----------------------------------------------------------------------------------


def read_claims(path: Path) -> tuple[list[Spoken], set[str]]:
    """The claims of a post, and the ids of its claims and findings.

    Raises ClaimError naming the file and the claim. What else can be wrong with a claim, `claims.judge` finds.
    """
    content = strict_yaml.load(path, ClaimError, numbers_as_text=True)
    with naming(file=path):
        claims = [_spoken(entry) for entry in _entries(content, "claims", ("id", "where", "posted"))]
        findings = [text(entry["id"]) for entry in _entries(content, "findings", ("id",))]
    return claims, {claim.id for claim in claims} | set(findings)


def _entries(content: dict[Any, Any], key: str, required: Collection[str]) -> list[dict[str, Any]]:
    entries = content.get(key, [])
    if not isinstance(entries, list):
        raise ClaimError(f"no list of {key}", key=key, value=shown(entries), allowed="a list")
    with naming(key=key):
        return [mapping(entry, required) for entry in entries]


def _spoken(entry: dict[str, Any]) -> Spoken:
    with naming(claim=shown(entry["id"])):
        posted, value = "", None
        if entry["posted"] is not True:
            try:
                posted = text(entry["posted"]).replace(",", "")
                value = Decimal(posted)
            except ArithmeticError as error:
                raise ClaimError("not a number", key="posted", value=shown(entry["posted"]),
                                 allowed="a number as typed, or true") from error  # fmt: skip
        return Spoken(text(entry["id"]), text(entry["where"]), posted, value, str(entry.get("unit", "")))


class _Speakers:
    """Which claims have the number of a thing found, and speak of its section."""

    def __init__(self, sections: Collection[Section], claims: Sequence[Spoken]):
        headings = {section.heading for section in sections} | {
            parent for section in sections for parent in section.parents
        }
        self.claims: defaultdict[str, list[Spoken]] = defaultdict(list)
        for claim in claims:
            for heading in _places(claim.where, headings):
                self.claims[heading].append(claim)

    def of(self, item: Found) -> list[str]:
        """Ids, of the item's own section if there are any, else of the nearest section around it."""
        if item.kind not in (Kind.NUMBER, Kind.WORD):
            return []
        for heading in (item.section.heading, *item.section.parents):
            said = [claim for claim in self.claims[heading] if _says(claim, item)]
            # 1.0 is spoken of by the claim of 1.0, if there is one, rather than by that of 1.
            said = [claim for claim in said if _as_typed(claim, item)] or said
            if said:
                return [claim.id for claim in said]
        return []


def _places(where: str, headings: Collection[str]) -> list[str]:
    """The headings that a claim's `where` names; "Result 2, checkpoints" is in Result 2 if it is nowhere else."""
    for part in (where, where.partition(",")[0]):
        named = [heading for heading in headings if _within(part, heading) or _within(heading, part)]
        if named:
            return named
    return []


def _within(short: str, long: str) -> bool:
    """Whether the words of `short` stand in `long`: Result 1 is not in Result 10."""
    return re.search(rf"(?<!\w){re.escape(short.casefold())}(?!\w)", long.casefold()) is not None


def _says(claim: Spoken, item: Found) -> bool:
    """Whether the claim's number is the one typed: 17.09% is 17.09 of unit %, and 0.1709 of any other.

    Of figures that are nought only the one typed alike: a text is full of indices 0 that are no error of 0.00e+00.
    """
    if claim.value is None or (not claim.value and item.kind == Kind.NUMBER and not _as_typed(claim, item)):
        return False
    typed = values(item.typed)
    if item.typed.endswith("%"):
        typed = typed if claim.unit == "%" else {value / 100 for value in typed}
        return claim.value in typed
    return claim.value in typed or (claim.unit == "%" and claim.value / 100 in typed)


def _as_typed(claim: Spoken, item: Found) -> bool:
    """Whether both have the same digits, whatever unit follows."""
    return re.match(rf"{re.escape(claim.posted)}(?![0-9.])", item.typed.replace(",", "")) is not None


# --- Numbers as they are typed ---------------------------------------------------------------------------------------

UNITS = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# Not "one" and not ordinals: they point at things more often than they count them.
WORDS = {word: Decimal(value) for value, word in enumerate([*UNITS, *TEENS], start=2)}
WORDS |= {word: Decimal(10 * value) for value, word in enumerate(TENS, start=2)}
WORDS |= {"zero": Decimal(0), "dozen": Decimal(12), "hundred": Decimal(100), "thousand": Decimal(1000)}
WORDS |= {"million": Decimal(10**6), "billion": Decimal(10**9), "trillion": Decimal(10**12)}
WORDS |= {"half": Decimal("0.5"), "quarter": Decimal("0.25"), "twice": Decimal(2), "thrice": Decimal(3)}
FORMS = {  # of a verb
    Decimal(2): ["double", "doubles", "doubled", "doubling"],
    Decimal(3): ["triple", "triples", "tripled", "tripling"],
    Decimal("0.5"): ["halve", "halves", "halved", "halving"],
}
WORDS |= {word: value for value, words in FORMS.items() for word in words}
PLURALS = {f"{word}s": WORDS[word] for word in ("dozen", "hundred", "thousand", "million", "billion", "trillion")}
PLURALS["quarters"] = WORDS["quarter"]

THOUSAND = Decimal(1000)
MULTIPLES = {
    "K": (THOUSAND, Decimal(1024)),
    "M": (THOUSAND**2,),
    "B": (THOUSAND**3,),
    "G": (THOUSAND**3,),
    "T": (THOUSAND**4,),
}  # of 4K, 70B, 24GB

NO_QUANTITY = ("D", "st", "nd", "rd", "th")  # 2D, 5th

# Makers' names that a number after a space or hyphen belongs to.
FAMILIES = (
    "LLaMA|Llama|LLAMA|GPT|Mistral|Mixtral|Gemma|Gemini|Qwen|Phi|Claude|DeepSeek|Falcon|BERT|SmolLM|PaLM|OPT|Pythia|"
    "Flash[ ]?Attention|RTX|GTX|CUDA|Python|PyTorch|NumPy|SciPy|Matplotlib|Transformers|WikiText"
)
SUFFIXES = "py|ipynb|csv|tsv|json|jsonl|ya?ml|toml|txt|md|lock|sh|png|svg|jpe?g|gguf|safetensors|pt|bin"

_EDGE = r"(?<![A-Za-z0-9_])"
_END = r"(?![A-Za-z0-9_])"
_LETTER = r"A-Za-zÀ-ÖØ-öø-ɏͰ-Ͽ_"
_MINUS = r"[-−]"
_HIGH = "⁰¹²³⁴-⁹"
_VERSION = r"[0-9]+(?:\.[0-9]+)*"
_LINK = r"(?P<link>(?:https?://|www\.)[^\s)>\]]+)"
_FILE = rf"(?P<file>{_EDGE}[\w./*{{}}-]*[\w*}}-]\.(?:{SUFFIXES}){_END})"
_SLUG = rf"(?P<slug>{_EDGE}[A-Za-z]{{2,}}[A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)+)"  # in code: llama-2/
_NAME = rf"""(?P<name>
    {_EDGE}(?:{FAMILIES})(?=[ -]?[0-9])
        (?:[ -]?{_VERSION}(?:/{_VERSION})*(?![0-9A-Za-z%]|[.,][0-9]))?
        (?:[ -](?:[0-9]+x)?[0-9]+(?:\.[0-9]+)?[BM]{_END})?
  | {_EDGE}[A-Z][A-Za-z]*[0-9][A-Za-z0-9]*(?:[-.][A-Za-z0-9]+)*{_END}   # A100-80GB, P95
  | {_EDGE}[A-Za-z]*[A-Z]{{2}}-[0-9]+(?![0-9%A-Za-z]|[.,][0-9])         # ROUGE-1
  | (?<![\w.])[0-9]+x[0-9]+(?:\.[0-9]+)?[BM]{_END}                      # 8x7B
  | (?<![\w.])[0-9]+(?:\.[0-9]+){{2,}}(?![\w])                          # version 2.1.0
  | {_EDGE}(?![0-9]+[eEx][0-9]+{_END})[0-9]+[A-Za-z]+[0-9][A-Za-z0-9]*  # a commit
)"""
_WORD = rf"""(?P<word>{_EDGE}(?i:
    (?:{"|".join(TENS)})-(?:one|{"|".join(UNITS)}) | (?:{"|".join(UNITS + TEENS)})fold
  | {"|".join([*WORDS, *PLURALS])}
){_END})"""
_IDENTIFIER = rf"(?P<identifier>[{_LETTER}][{_LETTER}0-9]*)"  # float16, top1_share: their digits are none of ours
_DIGITS = rf"""
    (?:(?<![\w)\]}}.%'’"-]){_MINUS})?                                   # a sign, not the hyphen of top-2 or 7-9
    (?:[0-9]{{1,3}}(?:(?:,|\{{,\}}|\\,)[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?
      | [0-9]+(?:\.[0-9]+)? | (?<![\w.)])\.[0-9]+)
    (?:[eE][+-]?[0-9]+(?![0-9A-Za-z_]))?
    (?:\^(?:\{{{_MINUS}?[0-9]+\}}|{_MINUS}?[0-9]+)|[⁺⁻]?[{_HIGH}]+)?"""
_ALONE = rf"[⁺⁻]?[{_HIGH}]+|[₊₋]?[₀-₉]+|[½¼¾⅓⅔⅛]"  # n², θ₆₃
_NUMBER = rf"(?P<number>{_DIGITS}(?:[ ]?\\?%|×(?!\s*[0-9])|[A-Za-zµ]{{1,4}}{_END})?|{_ALONE})x?"

_PATTERNS = {
    "prose": re.compile("|".join([_LINK, _FILE, _NAME, _WORD, _IDENTIFIER, _NUMBER]), re.VERBOSE),
    "code": re.compile("|".join([_LINK, _FILE, _NAME, _IDENTIFIER, _NUMBER]), re.VERBOSE),
    "span": re.compile("|".join([_LINK, _FILE, _SLUG, _NAME, _IDENTIFIER, _NUMBER]), re.VERBOSE),
    "math": re.compile(rf"(?<![A-Za-z0-9])(?P<number>{_DIGITS}(?:[ ]?\\?%)?|{_ALONE})", re.VERBOSE),
}
_FILE_OR_LINK = re.compile(f"{_LINK}|{_FILE}")
_SPANS = re.compile(
    r"(?P<span>(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`))"
    r"|(?P<math>\$\$.+?\$\$|\$(?=\S)[^$]+?(?<=\S)\$(?![0-9])|\\\(.+?\\\)|\\\[.+?\\\])",  # "$5 and $6" is none
    re.DOTALL,
)
_TYPED = re.compile(rf"(?P<mantissa>.*?)(?:\^\{{?(?P<power>{_MINUS}?[0-9]+)\}}?)?(?P<suffix>[ ]?\\?%|×|[A-Za-zµ]+)?")
_SCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺₀₁₂₃₄₅₆₇₈₉₋₊", "0123456789-+0123456789-+")
_LARGEST_POWER = 400


def values(typed: str) -> set[Decimal]:
    """The numbers that may be meant: 4K is 4, 4000 or 4096; 2.08e11, 10^{-4}, 207,920 and `twelve` are one each.

    A per cent sign is left to the caller. The set is empty for what has no value here.
    """
    lower = typed.casefold()
    word = lower.removesuffix("fold")
    if word in WORDS or lower in PLURALS:
        return {WORDS[word] if word in WORDS else PLURALS[lower]}
    tens, _, unit = lower.partition("-")
    if tens in TENS:
        return {WORDS[tens] + WORDS.get(unit, Decimal(1))}
    if len(typed) == 1 and typed in "½¼¾⅓⅔⅛":
        return {Decimal(str(unicodedata.numeric(typed)))}
    plain = re.sub(rf"(?<=[0-9])([⁺⁻]?[{_HIGH}]+)", r"^\1", typed).translate(_SCRIPTS).replace("−", "-")
    parts = _TYPED.fullmatch(re.sub(r",|\{,\}|\\,", "", plain))
    try:
        value = Decimal(parts["mantissa"])
    except ArithmeticError:
        return set()
    if parts["power"]:
        if abs(int(parts["power"])) > _LARGEST_POWER or not value:
            return set()
        value **= int(parts["power"])
    if parts["suffix"] in NO_QUANTITY:
        return set()
    prefix = (parts["suffix"] or " ")[0].upper()
    return {value} | {value * multiple for multiple in MULTIPLES.get(prefix, ())}


def tokens(content: str, form: str = "prose") -> Iterator[tuple[Kind, str]]:
    """Numbers, number words and names in a piece of text, as typed and in order.

    `form` says what it is: `prose`, which may hold `code` and $formulas$; `code` of a block; `math`.
    """
    if form != "prose":
        yield from _scan(content, form)
        return
    end = 0
    for span in _SPANS.finditer(content):
        yield from _scan(content[end : span.start()], "prose")
        yield from _scan(span[0], "math" if span["math"] else "span")
        end = span.end()
    yield from _scan(content[end:], "prose")


def _scan(piece: str, form: str) -> Iterator[tuple[Kind, str]]:
    if form == "math":
        piece = re.sub(r"\\[A-Za-z]+", " ", piece)
    for match in _PATTERNS[form].finditer(piece):
        if match.lastgroup in list(Kind) and (match.lastgroup != Kind.NAME or re.search("[0-9]", match[0])):
            yield Kind(match.lastgroup), match[match.lastgroup]


# --- The text and its parts ------------------------------------------------------------------------------------------

# Headings number themselves: "2. Method", "Result 1: ...".
_NUMBERING = re.compile(
    r"\d+(?:\.\d+)*[.):]\s+|\d+(?:\.\d+)+\s+"
    r"|(?:Result|Part|Step|Section|Chapter|Figure|Table|Appendix|Experiment|Artifact|Example|Stage|Phase)\s+\d+\s*[:.–—-]"
)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LEFT_OUT = re.compile(r"^\[[^\]]+\]:\s*\S+.*$|\[\^\w+\]|</?[A-Za-z][^<>]*>", re.MULTILINE)
_LINKED = re.compile(r"!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?=[^()\s]*[A-Za-z/#])(?:[^()]|\([^()]*\))*\)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_RULE = re.compile(r"\s*([-*_])(?:\s*\1){2,}\s*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d{1,3})[.)])\s+")
_QUOTE = re.compile(r"\s*(?:>\s?)+")
_DISPLAYED = {"$$": "$$", r"\[": r"\]"}
_STOP = re.compile(
    r"[.!?…][\"'”’)\]*_`]*(?P<gap>\s+)(?=[\"'“‘(\[*_`]*(?:[A-ZÀ-ÖØ-Þ0-9]|[a-z]+[A-Z]))"  # vLLM begins one too
)
_ABBREVIATION = re.compile(r"(?<!\w)(?:et al|e\.g|i\.e|vs|cf|etc|Fig|Eq|Sec|No|approx|resp|ca|Dr|Mr|Ms|Prof)\Z")
_PLACEHOLDER = re.compile(r"\[[^\[\]]*\]")  # [chart: ...]
_FEWEST_WORDS = 3  # "Derived deltas:" says nothing


def find(content: str) -> Iterator[Found]:
    """Everything that the inventory of a post lists, in the order of the text."""
    for block in blocks(content):
        pieces = sentences(block.text) if block.form == "prose" else block.text.split("\n")
        form = block.form if block.form in ("code", "math") else "prose"
        for piece in pieces:
            around = plain(piece)
            typed = list(tokens(piece, form))
            end = 0
            for kind, token in typed:
                start = max(around.find(token, end), end)
                end = start + (len(token) if around.startswith(token, start) else 0)
                yield Found(kind, block.section, token, "", _about(around, start))
            # A name counts nothing: what the sentence says of it is still to be claimed.
            if block.form == "prose" and _says_something(around) and all(kind == Kind.NAME for kind, _ in typed):
                yield Found(Kind.SENTENCE, block.section, "", digest(around), around)


def _about(around: str, start: int) -> str:
    """The text from a little before `start`, if it is long."""
    cut = max(start - WIDTH // 3, 0) if len(around) > WIDTH else 0
    return ("..." if cut else "") + around[cut:]


def _says_something(sentence: str) -> bool:
    """Whether there are words: not only a file's name, a chart's place or two words that lead to a list."""
    words = re.findall(r"[^\W\d_]{2,}", _FILE_OR_LINK.sub("", sentence))
    return len(words) >= (_FEWEST_WORDS if sentence.endswith(":") else 1) and not _PLACEHOLDER.fullmatch(sentence)


def plain(content: str) -> str:
    """The text without Markdown's marks and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", re.sub(r"[*`]", "", content)).split())


def digest(sentence: str) -> str:
    """First 8 hex digits of the SHA-256 of a sentence without marks: enough to notice that it was changed."""
    return hashlib.sha256(plain(sentence).encode()).hexdigest()[:8]


def sentences(content: str) -> list[str]:
    """The sentences of a paragraph; a stop inside of code or a formula ends none."""
    masked = _SPANS.sub(lambda span: "X" * len(span[0]), content)
    found, start = [], 0
    for stop in _STOP.finditer(masked):
        if not _ABBREVIATION.search(masked[: stop.start()]):
            found.append(content[start : stop.start("gap")])
            start = stop.end("gap")
    return [sentence for sentence in (*found, content[start:]) if sentence.strip()]


def blocks(content: str) -> Iterator[Block]:
    """The post in pieces. The first heading, if of level 1, is the title, and what follows it the opening."""
    outline = _Outline()
    content = _COMMENT.sub("", _FRONT_MATTER.sub("", content.replace("\r\n", "\n")))
    for form, piece in _pieces(content.split("\n")):
        if form.startswith("#"):
            section, words = outline.enter(len(form), plain(_cleaned(piece)))
            yield Block(section, "line", words)
        elif form in ("code", "math"):
            yield Block(outline.section, form, piece)
        else:
            yield Block(outline.section, form, _cleaned(piece))


def _cleaned(piece: str) -> str:
    """A link's words without its target; no tags and no marks of footnotes."""
    return html.unescape(_LEFT_OUT.sub("", _LINKED.sub(r"\1", piece)))


class _Outline:
    """Where in the post one is."""

    def __init__(self) -> None:
        self.section = Section(OPENING, OPENING)
        self.above: list[tuple[int, str]] = []
        self.times: Counter[str] = Counter()
        self.is_first = True

    def enter(self, level: int, heading: str) -> tuple[Section, str]:
        """The section that a heading begins, or the title's, and the heading's words without a number of its own."""
        is_title, self.is_first = self.is_first and level == 1, False
        words = _NUMBERING.sub("", heading, count=1) if _NUMBERING.match(heading) else heading
        if is_title:
            return Section(TITLE, TITLE), words
        self.above = [(depth, name) for depth, name in self.above if depth < level]
        parents = tuple(name for _, name in reversed(self.above))
        self.above.append((level, heading))
        self.times[heading] += 1
        times = self.times[heading]
        self.section = Section(heading if times == 1 else f"{heading} ({times})", heading, parents)
        return self.section, words


def _pieces(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Form and text of each piece: # to ###### for a heading, code, math, line for a table's row, prose."""
    paragraph: list[str] = []
    is_list = False

    def ended() -> Iterator[tuple[str, str]]:
        if paragraph:
            yield "prose", "\n".join(paragraph)
            paragraph.clear()

    rest = iter(lines)
    for line in rest:
        line = _QUOTE.sub("", line, count=1) if _QUOTE.match(line) else line
        fence, heading, item = _FENCE.match(line), _HEADING.fullmatch(line), _ITEM.match(line)
        opened = next((mark for mark in _DISPLAYED if line.strip().startswith(mark)), None)
        if fence:
            yield from ended()
            yield "code", "\n".join(_until(rest, lambda later, mark=fence[1]: later.strip().startswith(mark)))
        elif opened:
            yield from ended()
            yield "math", "\n".join(_formula(line.strip(), rest, opened))
        elif heading:
            yield from ended()
            yield heading[1], heading[2]
            is_list = False
        elif len(paragraph) == 1 and not is_list and (under := _UNDERLINE.fullmatch(line)):
            yield "#" if under[1][0] == "=" else "##", paragraph.pop()
        elif not line.strip() or _RULE.fullmatch(line):
            yield from ended()
            is_list = False
        elif line.lstrip().startswith("|"):
            yield from ended()
            yield "line", line
        elif item and (not paragraph or is_list or item[1] in (None, "1")):
            # Else it is a line of a paragraph that happens to begin with a number and a full stop.
            yield from ended()
            paragraph.append(line[item.end() :])
            is_list = True
        else:
            paragraph.append(line)
    yield from ended()


def _until(lines: Iterator[str], is_end) -> Iterator[str]:
    for line in lines:
        if is_end(line):
            return
        yield line


def _formula(first: str, rest: Iterator[str], opened: str) -> Iterator[str]:
    """The lines of a displayed formula, with the one that closes it."""
    closing = _DISPLAYED[opened]
    line = first[len(opened) :]
    while closing not in line:
        yield line
        following = next(rest, None)
        if following is None:
            return
        line = following
    yield line
