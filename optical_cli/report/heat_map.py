"""Heat maps of a sentence pair, one for each reg: where the mass of each teacher token goes.

All maps have one scale: the share of a teacher token's mass, 0 to 100 %. The tint grows with the square root of the
share, so that mass spread over twenty tokens still differs from none.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from optical_cli.align.aligned_pair import AlignedPair, Alignment, all_alike, receivers
from optical_cli.report.drawing import Drawing, Label, Line, Shape, box, sheet, slot, width_of
from optical_cli.report.figure_files import find_glyphs, write_figure
from optical_cli.transport.solvers import format_reg

SQUARE = 15.0
LONGEST = 18  # characters of a label
FAINTEST = 0.01  # smallest share that is drawn, which keeps a page of long sentences small
WIDEST = 1500.0  # width of a row of maps; the next map goes below
STEPS, STEP = 24, 5.0  # number and height of the tints of the scale
MARKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)  # beside the scale


def draw_maps(pair: AlignedPair, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> list[Drawing]:
    """Draw a map for each reg: teacher tokens down, student tokens across.

    Args:
        rows: Names of the teacher tokens; by default the tokens.
        columns: Names of the student tokens; by default the tokens.
    """
    rows, columns = list(map(_short, rows or pair.teacher_tokens)), list(map(_short, columns or pair.student_tokens))
    left, below = (8 + max(width_of(name, "token") for name in names) for names in (rows, columns))
    width, foot = SQUARE * len(columns), SQUARE * len(rows)
    names = [Label("token", left - 5, SQUARE * i + 11.5, name) for i, name in enumerate(rows)]
    names += [Label("token", left + SQUARE * i + 11.5, foot + 5, name, turned=True) for i, name in enumerate(columns)]
    maps = []
    for alignment in pair.alignments:
        caption = [
            f"reg {format_reg(alignment.reg)}{'' if alignment.converged else ', NOT converged'}",
            f"cost {alignment.cost:.3f}" + (f", mass {alignment.mass:.3f}" if alignment.unbalanced else ""),
            f"effective targets {alignment.effective_targets:.1f}",
        ]
        shapes: list[Shape] = [*names, *_tiles(pair, alignment, left), box("axis", left, 0, width, foot)]
        maps.append(Drawing(math.ceil(left + width + 4), math.ceil(foot + below), shapes, caption))
    return maps


def draw_heat_maps(pair: AlignedPair, title: str, path_svg: Path, path_png: Path) -> bool:
    """Draw the alignments of a pair into both files; the same plans give the same bytes.

    Returns:
        whether the installed fonts could draw every token; the others are named by their place, from #1.
    """
    tokens = (*pair.teacher_tokens, *pair.student_tokens)
    glyphs = find_glyphs((*tokens, pair.text, pair.translation))
    rows, columns = (
        [token if glyphs.draw(token) else f"#{place}" for place, token in enumerate(own, start=1)]
        for own in (pair.teacher_tokens, pair.student_tokens)
    )
    maps = draw_maps(pair, rows, columns)
    most = max(1, int(WIDEST / max(map(slot, maps))))
    first, *others = [maps[i : i + most] for i in range(0, len(maps), most)]
    title += ": where each token sends its mass"
    drawing = sheet([[*first, _scale()], *others], title, list(filter(glyphs.draw, (pair.text, pair.translation))))
    write_figure(drawing, path_svg, path_png)
    return all(map(glyphs.draw, tokens))


def _tiles(pair: AlignedPair, alignment: Alignment, left: float) -> Iterator[Line]:
    """Draw a tile for each share from `FAINTEST` on; a token with nearly equal shares gets a single tile."""
    for row, (token, shares) in enumerate(zip(pair.teacher_tokens, alignment.shares.tolist(), strict=True)):
        y = SQUARE * row
        if all_alike(shares):
            said = f"{token}: {receivers(pair.student_tokens, shares)}"
            yield box("tile", left, y, SQUARE * len(shares), SQUARE, said, _strength(sum(shares) / len(shares)))
            continue
        for column, share in enumerate(shares):
            if share >= FAINTEST:
                said = f"{token} → {pair.student_tokens[column]}: {100 * share:.0f} %"
                yield box("tile", left + SQUARE * column, y, SQUARE, SQUARE, said, _strength(share))


def _scale() -> Drawing:
    foot = STEPS * STEP
    tints = [box("tile", 0, foot - STEP * i, 12, STEP, strength=round(i / STEPS, 2)) for i in range(1, STEPS + 1)]
    marks = [Label("remark", 17, foot * (1 - _strength(mark)) + 4, f"{mark:.0%}") for mark in MARKS]
    return Drawing(52, foot + 5, [*tints, box("axis", 0, 0, 12, foot), *marks], [""])


def _strength(share: float) -> float:
    return round(math.sqrt(min(share, 1.0)), 2)


def _short(token: str) -> str:
    return token if len(token) <= LONGEST else f"{token[: LONGEST - 1]}…"
