"""Scores plans against word alignments that people made: alignment error rate, precision, recall and F1.

Plans are between tokens, and links between words: the mass of a word is that of its tokens. Source of the measures: Och
and Ney 2003, https://doi.org/10.1162/089120103321337421.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optical_cli.align.aligned_pair import AlignedPair, Plan, Sentence
from optical_cli.data.paths import listed, names_in
from optical_cli.data.text_files import Place, columns_of, read_lines
from optical_cli.errors import DataError, quoted

Link = tuple[int, int]
"""Word of the teacher's sentence, and word of the translation, from 0."""
_PHARAOH = re.compile(r"([0-9]{1,6})([-p?])([0-9]{1,6})")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
MASS = 0.2
"""Share of a word's mass from which `threshold` links it."""
DRAWS = 2_000


@dataclass(frozen=True)
class GoldPair:
    """A sentence pair with the links that people made, of which the sure ones are among the possible ones."""

    sentence: Sentence
    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class Agreement:
    """How links agree with those of people, over all sentence pairs.

    Attributes:
        aer: Alignment error rate, 0 to 1: 1 - (|A & S| + |A & P|) / (|A| + |S|).
        interval: Its 95 % interval, a bootstrap over sentence pairs.
        precision: |A & P| / |A|.
        recall: |A & S| / |S|.
        f1: Harmonic mean of the two.
        links: |A|.
    """

    aer: float
    interval: tuple[float, float]
    precision: float
    recall: float
    f1: float
    links: int


def read_gold(folder: Path, teacher_language: str, language: str) -> list[GoldPair]:
    """Read sentences and links from a folder: `NAME.en`, `NAME.hi`, and a file of links with another ending.

    A line of links is `3-4 5p6` in the format Pharaoh (words from 0, `p` or `?` for possible links), one for each
    sentence pair; or `LINE WORD WORD`, with S or P behind it if links are sure or possible, all from 1.

    Raises:
        DataError: a file is missing, or has a line that cannot be right.
    """
    texts = {code: _file(folder, code) for code in (teacher_language, language)}
    lines = {code: [line for _, line in read_lines(path)] for code, path in texts.items()}
    if len(lines[teacher_language]) != len(lines[language]):
        counts = " and ".join(f"{len(lines[code])} in {path.name}" for code, path in texts.items())
        raise DataError(f"{folder}: as many sentences in both languages expected, found {counts}; correct the files")
    others = [name for name in names_in(folder) if folder / name not in texts.values()]
    if len(others) != 1:
        raise DataError(
            f"{folder}: one file of links beside the sentences expected, found {listed(others)}; keep one of them"
        )
    words = [(own.split(), other.split()) for own, other in zip(*lines.values(), strict=True)]
    links: list[dict[Link, bool]] = [{} for _ in words]
    for place, number, link, is_sure in _links(folder / others[0]):
        if number >= len(words) or link[0] >= len(words[number][0]) or link[1] >= len(words[number][1]):
            found = f"line {number + 1}, words {link[0] + 1} and {link[1] + 1}"
            raise place.fault(
                expected="words of the sentences", found=found, mend="check that the files belong together"
            )
        links[number][link] = links[number].get(link, False) or is_sure
    return [
        GoldPair(
            Sentence(f"gold {number}", " ".join(own), " ".join(other)),
            frozenset(link for link, is_sure in of_pair.items() if is_sure),
            frozenset(of_pair),
        )
        for number, ((own, other), of_pair) in enumerate(zip(words, links, strict=True), start=1)
    ]


def _file(folder: Path, language: str) -> Path:
    found = [name for name in names_in(folder) if name.endswith(f".{language}")]
    if len(found) != 1:
        there = listed(found or names_in(folder))
        raise DataError(f"{folder}: one file of sentences that ends in .{language} expected, found {there}")
    return folder / found[0]


def _links(path: Path) -> Iterator[tuple[Place, int, Link, bool]]:
    """Yield each link with its sentence pair, both from 0, and whether it is sure."""
    for place, line in read_lines(path):
        parts = line.split()
        if parts and all(map(_PHARAOH.fullmatch, parts)):
            for own, sign, other in _PHARAOH.findall(line):
                yield place, place.number - 1, (int(own), int(other)), sign == "-"
        elif parts and _NUMBER.fullmatch(parts[0]):
            mark = parts.pop().upper() if len(parts) == 4 and parts[3].upper() in ("S", "P") else "S"
            mend = "write LINE WORD WORD, numbers from 1, and S or P behind them"
            numbers = columns_of(place, " ".join(parts), 3, "line, word and word", mend, separator=" ")
            if not all(map(_NUMBER.fullmatch, numbers)):
                raise place.fault(expected="numbers from 1", found=quoted(line), mend=mend)
            number, own, other = (int(part) - 1 for part in numbers)
            yield place, number, (own, other), mark == "S"
        elif parts:
            raise place.fault(expected="links", found=quoted(line), mend="write `0-0 1p2`, or LINE WORD WORD")


def word_plan(pair: AlignedPair, plan: Plan) -> Plan:
    """Return the mass between words, (words of the sentence, words of the translation); other tokens are left out.

    Raises:
        DataError: the encoder does not say where in the text a token stands.
    """
    own, other = _words(pair.text, pair.teacher_places), _words(pair.translation, pair.student_places)
    if len(own) != len(pair.teacher_tokens) or len(other) != len(pair.student_tokens):
        raise DataError(
            f"{pair.name}: the tokenizer does not tell where in a sentence its tokens stand, so that words have no mass"
        )
    found = np.zeros((len(pair.text.split()), len(pair.translation.split())))
    for row, word in enumerate(own):
        for column, translated in enumerate(other):
            if word is not None and translated is not None:
                found[word, translated] += plan[row, column]
    return found


def _words(text: str, places: Sequence[int]) -> list[int | None]:
    """Return the word that each place in a text belongs to; None for a place below 0. One space separates words."""
    starts = np.cumsum([0, *(len(word) + 1 for word in text.split(" "))])
    return [None if place < 0 else int(np.searchsorted(starts, place, side="right")) - 1 for place in places]


def mutual(mass: Plan) -> set[Link]:
    """Link two words if each sends the other more of its mass than any other word."""
    rows, columns = mass.argmax(axis=1), mass.argmax(axis=0)
    return {(word, int(to)) for word, to in enumerate(rows) if columns[to] == word and mass[word, to] > 0}


def threshold(mass: Plan) -> set[Link]:
    """Link two words if one sends the other a share of at least `MASS` of its mass, in both directions."""
    sent, received = mass.sum(axis=1, keepdims=True), mass.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.minimum(mass / sent, mass / received)
    return {(int(word), int(to)) for word, to in np.argwhere(np.nan_to_num(shares) >= MASS)}


WAYS: dict[str, Callable[[Plan], set[Link]]] = {"mutual": mutual, "threshold": threshold}
"""Ways from the mass between words to links."""


def agreement(gold: Sequence[GoldPair], links: Sequence[set[Link]], seed: int) -> Agreement:
    """Measure how the links of sentence pairs agree with those of people; `seed` is that of the bootstrap."""
    counts = np.array(
        [
            (len(found & one.sure), len(found & one.possible), len(found), len(one.sure))
            for one, found in zip(gold, links, strict=True)
        ],
        dtype=float,
    )
    drawn = np.random.default_rng(seed).integers(len(counts), size=(DRAWS, len(counts)))
    low, high = np.quantile(_error_rate(counts[drawn].sum(axis=1)), [0.025, 0.975]).tolist()
    in_sure, in_possible, found, sure = counts.sum(axis=0).tolist()
    precision, recall = in_possible / found if found else 0.0, in_sure / sure if sure else 0.0
    both = precision + recall
    aer = float(_error_rate(counts.sum(axis=0)[None])[0])
    return Agreement(aer, (low, high), precision, recall, 2 * precision * recall / both if both else 0.0, int(found))


def _error_rate(counts: Plan) -> Plan:
    """Alignment error rates of counts (..., 4) of links: in the sure ones, in the possible ones, found, and sure."""
    return np.asarray(1 - (counts[:, 0] + counts[:, 1]) / np.maximum(counts[:, 2] + counts[:, 3], 1))
