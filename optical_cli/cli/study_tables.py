"""A study as a terminal shows it, and as JSON."""

import textwrap
from typing import TYPE_CHECKING, Any

from optical_cli.cli.show import curve, main_measures, print_in_blocks, records, text_width
from optical_cli.cli.terminal import plain

if TYPE_CHECKING:
    from optical_cli.report.study import Study

TEXT_WIDTH = 100


def print_study(found: "Study") -> None:
    """The main measures with intervals and marks, as many pairs beside each other as there is room for; the answer."""
    from optical_cli.report.answer import answer
    from optical_cli.report.sections import measure_section

    for measure in main_measures(found.measures):
        section = measure_section(found, measure)
        heads = [f"{head} {section.title}" if head else "" for head in section.heads]
        print_in_blocks(heads, [[str(cell) for cell in row] for row in section.rows])
        for note in section.after:
            print_text(note)
    curve(found.results, found.measures)
    print()
    for paragraph in answer(found):
        print_text(f"{paragraph}\n")


def study_record(found: "Study") -> dict[str, Any]:
    """Results and what was found in them as a JSON object."""
    from optical_cli.report.answer import answer
    from optical_cli.report.published import drifts

    return {
        "results": records(found.results),
        "translated": dict(found.translated),
        "translators": dict(found.translators),
        "answer": answer(found),
        "comparisons": [
            {**vars(one), "setting": one.setting.label, "reference": one.reference.label, "mark": one.mark}
            for one in found.findings.comparisons
        ],
        "interactions": [
            {**vars(one), "settings": [setting.label for setting in one.settings], "shown": one.shown}
            for one in found.findings.interactions
        ],
        "choices": [
            {
                "pair": one.pair,
                "corpus": one.corpus,
                "chosen": {setting.label: share for setting, share in one.shares},
                "score": one.score,
                "best": one.best.label,
                "best_score": one.best_score,
                "flattered": one.flattered,
                "by_bitext": {by.ruler: by.setting.label for by in one.by_bitext},
            }
            for one in found.findings.choices
        ],
        "gaps": [
            {
                "corpus": gaps.corpus,
                "low_resource": gaps.low,
                "others": gaps.high,
                "by_setting": [
                    {
                        "setting": gap.setting.label,
                        "low_resource": gap.low,
                        "others": gap.high,
                        "gap": gap.value,
                        "interval": vars(gap.interval),
                        "changes": [
                            {"reference": reference.label, "change": change, "interval": vars(interval)}
                            for reference, change, interval in gap.changes
                        ],
                    }
                    for gap in gaps.by_setting
                ],
            }
            for gaps in found.findings.gaps
        ],
        "published": [
            {"pair": one.pair, "system": one.system, "means": one.means, "source": one.source}
            for one in found.published
        ],
        "drift": [
            {**vars(one), "difference": one.difference, "flagged": one.flagged}
            for one in drifts(found.published, found.results)
        ],
    }


def print_text(text: str) -> None:
    """A paragraph, its lines no longer than the terminal's or than can be read with ease."""
    print(textwrap.fill(plain(text), min(text_width(), TEXT_WIDTH), replace_whitespace=False))
