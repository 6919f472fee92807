"""What is to be said below a table of means."""

from collections.abc import Sequence

from optical_cli.report.published import sources_note
from optical_cli.report.study import Study
from optical_cli.report.table import Table


def notes_below(study: Study, table: Table, published: Sequence[tuple[str, ...]]) -> list[str]:
    """What its figures are to be read with: marks, whose translations topics are, where published rows come from.

    Args:
        study: with the provenance of translated topics.
        table: the means.
        published: rows of others below it.
    """
    return [*table.notes, *_translations(study, table), *sources_note(study.published, published)]


def _translations(study: Study, table: Table) -> list[str]:
    pairs: dict[str, list[str]] = {}
    for pair in dict.fromkeys(column.pair for column in table.columns):
        if pair in study.translated:
            pairs.setdefault(study.translated[pair], []).append(pair)
    return [f"Topics of {', '.join(names)}: translated by {by}." for by, names in pairs.items()]
