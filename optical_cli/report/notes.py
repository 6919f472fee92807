"""What is to be said below a table of means."""

from collections.abc import Mapping, Sequence

from optical_cli.artifacts.result import Setting
from optical_cli.config.objectives import TRANSLATE
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
    baseline = Setting(TRANSLATE, None)
    translated = any(row.setting == baseline for row in table.rows)
    return [
        *table.notes,
        *_translations("Topics", study.translated, table),
        *(_translations(baseline.label.capitalize(), study.translators, table) if translated else ()),
        *sources_note(study.published, published),
    ]


def _translations(what: str, by_pair: Mapping[str, str], table: Table) -> list[str]:
    pairs: dict[str, list[str]] = {}
    for pair in dict.fromkeys(column.pair for column in table.columns):
        if pair in by_pair:
            pairs.setdefault(by_pair[pair], []).append(pair)
    return [f"{what} of {', '.join(names)}: translated by {by}." for by, names in pairs.items()]
