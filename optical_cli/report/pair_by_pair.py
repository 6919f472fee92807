"""A paragraph on each pair: the range of its means, what the tests show, and what choosing reg is worth."""

from optical_cli.artifacts.result import strength_of
from optical_cli.config.measures import parse_measure
from optical_cli.errors import several
from optical_cli.report.answer import means_by_pair
from optical_cli.report.findings import Choice, significance
from optical_cli.report.study import Study
from optical_cli.report.table import FULL
from optical_cli.report.text import listed, one_line, percent, signed


def pair_by_pair(study: Study) -> list[str]:
    """Return a paragraph for each pair with a scored reg."""
    findings, label = study.findings, parse_measure(study.findings.measure).label
    paragraphs = []
    for (pair, corpus), means in means_by_pair(study).items():
        own = [one for one in study.results if (one.pair, one.corpus) == (pair, corpus) and one.scores]
        topics = max(one.scores.topics for one in own if one.scores)
        seeds = len({one.seed for one in own if one.reg is not None})
        where = "" if corpus == FULL else f", corpus {corpus}"
        lowest, highest = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        scored = (
            f"{label} is {means[lowest]:.3f} at {lowest.label}, the only {study.strength} that is scored."
            if len(means) == 1
            else f"mean {label} ranges from {means[lowest]:.3f} ({lowest.label}) to {means[highest]:.3f} "
            f"({highest.label}) over {len(means)} values of {study.strength}."
        )
        compared = [one for one in findings.comparisons if (one.pair, one.corpus) == (pair, corpus)]
        choices = [one for one in findings.choices if (one.pair, one.corpus) == (pair, corpus)]
        sentences = [
            f"{pair} ({several(topics, 'topic')}, {several(seeds, 'seed')}{where}): {scored}",
            *significance.on_one_pair(compared),
            *(sentence for choice in choices for sentence in _on_choice(choice, label)),
        ]
        paragraphs.append(one_line(" ".join(sentences)))
    return paragraphs


def _on_choice(choice: Choice, label: str) -> list[str]:
    often, share = choice.shares[0]
    strength = strength_of(setting for setting, _ in choice.shares)
    overstates = signed(choice.flattered).replace("+", "")
    sentences = [
        f"Chosen on some of the topics and scored on the others, {strength} is worth {choice.score:.3f} (the choice is "
        f"{often.label} in {percent(share)} of the cases); {choice.best.label}, the best on all topics, overstates "
        f"this by {overstates}."
    ]
    rulers: dict[tuple[str, float], list[str]] = {}
    for one in choice.by_bitext:
        rulers.setdefault((one.setting.label, one.score), []).append(one.ruler)
    return sentences + [
        f"The held-out bitext chooses {chosen} (best {listed(names)}), whose mean {label} is {score:.3f}."
        for (chosen, score), names in rulers.items()
    ]
