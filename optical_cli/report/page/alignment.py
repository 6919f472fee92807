"""Alignments of sentences as places in drawings, one a reg, for the page's template to draw."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optical_cli.align.aligned_pair import AlignedPair, AlignedSentences, Alignment, all_alike, receivers
from optical_cli.artifacts.result import format_reg

SQUARE = 15
LETTER = 6.6  # width of one of a label, at the size that style.css gives it
LONGEST = 14  # characters of a label
FAINTEST = 0.01  # a share below which nothing is drawn, so that a page of long sentences stays light


@dataclass(frozen=True)
class Tile:
    """Where a share of a token's mass goes."""

    x: float
    y: float
    width: float
    strength: float  # 0 to 1
    said: str


@dataclass(frozen=True)
class Map:
    """The plan of one reg, drawn: a row a teacher token, a column a student token."""

    reg: str
    said: str
    width: float
    height: float
    left: float
    foot: float
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Drawn:
    """A sentence pair: its maps, and the same in words, a row a teacher token and a column a reg."""

    title: str
    text: str
    translation: str
    language: str
    maps: tuple[Map, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def drawn(sentences: Sequence[AlignedSentences]) -> list[Drawn]:
    """Every sentence pair of a study."""
    return [_drawn(view, pair) for view in sentences for pair in view.pairs]


def _drawn(view: AlignedSentences, pair: AlignedPair) -> Drawn:
    shares = [alignment.shares.tolist() for alignment in pair.alignments]
    return Drawn(
        f"{view.language}, {pair.name}",
        pair.text,
        pair.translation,
        view.language,
        tuple(_map(pair, alignment) for alignment in pair.alignments),
        ("token", *(f"reg {format_reg(alignment.reg)}" for alignment in pair.alignments)),
        tuple(
            (token, *(receivers(pair.student_tokens, of_reg[row]) for of_reg in shares))
            for row, token in enumerate(pair.teacher_tokens)
        ),
    )


def _map(pair: AlignedPair, alignment: Alignment) -> Map:
    left = 8 + LETTER * max(len(_short(token)) for token in pair.teacher_tokens)
    foot = SQUARE * len(pair.teacher_tokens)
    below = 8 + LETTER * max(len(_short(token)) for token in pair.student_tokens)
    said = f"cost {alignment.cost:.3f}, {alignment.effective_targets:.1f} targets a token"
    return Map(
        reg=format_reg(alignment.reg),
        said=said if alignment.converged else f"{said}, NOT converged",
        width=math.ceil(left + SQUARE * len(pair.student_tokens) + 4),
        height=math.ceil(foot + below),
        left=left,
        foot=foot,
        rows=tuple((SQUARE * (row + 0.5), _short(token)) for row, token in enumerate(pair.teacher_tokens)),
        columns=tuple((left + SQUARE * (i + 0.5), _short(token)) for i, token in enumerate(pair.student_tokens)),
        tiles=tuple(_tiles(pair, alignment, left)),
    )


def _tiles(pair: AlignedPair, alignment: Alignment, left: float) -> Iterator[Tile]:
    """A tile for each share worth one; a token whose mass goes everywhere about alike has a single one."""
    for row, (token, shares) in enumerate(zip(pair.teacher_tokens, alignment.shares.tolist(), strict=True)):
        if all_alike(shares):
            mean = sum(shares) / len(shares)
            said = f"{token}: {receivers(pair.student_tokens, shares)}"
            yield Tile(left, SQUARE * row, SQUARE * len(shares), _strength(mean), said)
            continue
        for column, share in enumerate(shares):
            if share >= FAINTEST:
                said = f"{token} → {pair.student_tokens[column]}: {100 * share:.0f} %"
                yield Tile(left + SQUARE * column, SQUARE * row, SQUARE, _strength(share), said)


def _strength(share: float) -> float:
    """Grows with the square root, so that mass spread thin over twenty tokens can be told from none."""
    return round(math.sqrt(min(share, 1.0)), 2)


def _short(token: str) -> str:
    return token if len(token) <= LONGEST else f"{token[: LONGEST - 1]}…"
