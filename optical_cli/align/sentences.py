"""Which sentences of an experiment are looked at, and as which student's: a matter of the experiment and its bitext."""

from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.data.bitext import SentencePair
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.errors import ConfigError
from optical_cli.pipeline.cells import Student, student_of
from optical_cli.pipeline.sources import Sources

SHOWN = 3
"""Held-out pairs, where nobody says how many."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of the teacher's language and its translation, under the name that headings and files give it."""

    name: str
    text: str
    translation: str


@dataclass(frozen=True)
class View:
    """Whose tokens are looked at.

    Attributes:
        pair: a language pair of the experiment.
        student: the one that it needs.
        language: of the translations.
        side: as which sentences and translations are encoded.
    """

    pair: str
    student: Student
    language: str
    side: Side


def view_of(experiment: Experiment, pair: str | None, language: str | None) -> View:
    """The view of a pair, or of the only student there is.

    Args:
        experiment: whose pairs these are.
        pair: None for the first one that learns, if all of them share a student.
        language: of the translations; None for the first of the pair that is not the teacher's.

    Raises:
        ConfigError: something has to be said and was not, or is not in the experiment.
    """
    pair, student = _student(experiment, pair)
    sides: dict[str, Side] = {}
    for code, side in zip(languages_of(pair), SIDES, strict=True):
        if code != experiment.teacher.language:
            sides.setdefault(code, side)  # a query, if the language is on both sides
    wanted = language or next(iter(sides))
    if wanted not in sides:
        raise ConfigError(f"--language {language}: {' or '.join(sides)} expected, which {pair} teaches its student")
    return View(pair, student, wanted, sides[wanted])


def _student(experiment: Experiment, pair: str | None) -> tuple[str, Student]:
    known = ", ".join(experiment.pairs)
    if pair is not None and pair not in experiment.pairs:
        raise ConfigError(f"--pair {pair}: not in the experiment; it has {known}")
    students = {name: student for name in experiment.pairs if (student := student_of(experiment, name))}
    if not students or (pair is not None and pair not in students):
        raise ConfigError(f"{pair or known}: both sides are in the teacher's language, so there is nothing to align")
    if pair is None and len(set(students.values())) > 1:
        raise ConfigError(f"--pair: the experiment has several students, say which: {', '.join(students)}")
    name = pair or next(iter(students))
    return name, students[name]


def held_out_sentences(
    sources: Sources, language: str, *, rows: Sequence[int] | None = None, count: int | None = None
) -> list[Sentence]:
    """Pairs of a held-out bitext.

    Args:
        sources: of the experiment.
        language: the foreign one of the bitext.
        rows: places in its held-out part, from 1; None for the first ones.
        count: how many of the first ones; None for 3, or what there is.

    Raises:
        ConfigError: it does not hold so many.
        DataError: the bitext cannot be read.
    """
    held_out = sources.split(language).held_out
    if not held_out:
        raise ConfigError(
            f"bitext.{language}.held_out: no pair is held out that could be aligned; "
            "hold some out, or give --text and --translation"
        )
    wanted = list(rows) if rows else list(range(1, (count or min(SHOWN, len(held_out))) + 1))
    if max(wanted) > len(held_out):
        asked = f"--rows {max(wanted)}" if rows else f"--count {count}"
        raise ConfigError(f"{asked}: the held-out bitext of {language} ends with pair {len(held_out)}")
    return [Sentence(f"held-out {row}", held_out[row - 1].teacher, held_out[row - 1].foreign) for row in wanted]


def trained_pairs(sources: Sources, student: Student) -> list[SentencePair]:
    """The pairs that a student is trained on, those of one language after those of the other."""
    return [pair for language in student.languages for pair in sources.split(language).train]
