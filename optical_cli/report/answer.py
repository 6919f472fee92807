"""The answer in at most five short sentences that claim no more than the tests show."""

from collections.abc import Mapping
from statistics import fmean

from optical_cli.artifacts.result import Setting
from optical_cli.config.measures import parse_measure
from optical_cli.errors import several
from optical_cli.report.findings import significance
from optical_cli.report.findings.pairs import Gaps
from optical_cli.report.findings.significance import Place, by_name, on_pairs
from optical_cli.report.published import drifts
from optical_cli.report.study import Study
from optical_cli.report.table import FULL
from optical_cli.report.text import listed, one_line, signed

MOST = 5


def answer(study: Study) -> list[str]:
    """Return the bullets: the best reg, what it is shown to beat, how pairs differ, and what to be careful about."""
    means = means_by_pair(study)
    best = {place: max(own, key=own.__getitem__) for place, own in means.items()}
    first = [_highest(study, means, best) if best else f"No {study.strength} has been scored yet."]
    pairs = [*significance.pairs_differ(study.findings.interactions), *_gap_bullets(study)]
    limits = list(filter(None, [_limits(study)]))
    room = MOST - len(first) - len(limits)
    pairs = pairs if len(pairs) < room else [" ".join(pairs)]
    against = significance.best_against_references(study.findings, best, place_names(study))
    room -= len(pairs)
    if len(against) > room:
        against = [*against[: room - 1], " ".join(against[room - 1 :])]
    return [one_line(said) for said in (*first, *against, *pairs, *limits)]


def means_by_pair(study: Study) -> dict[Place, dict[Setting, float]]:
    """Return the mean of the tested measure of every scored reg, by pair and corpus mode, from reg 0 to inf."""
    values: dict[Place, dict[Setting, list[float]]] = {}
    for result in sorted(study.results, key=lambda result: result.setting.rank):
        value = result.value(study.findings.measure)
        if result.reg is not None and value is not None:
            values.setdefault((result.pair, result.corpus), {}).setdefault(result.setting, []).append(value)
    order = dict.fromkeys((result.pair, result.corpus) for result in study.results)
    return {place: {one: fmean(own) for one, own in values[place].items()} for place in order if place in values}


def place_names(study: Study) -> dict[Place, str]:
    """Return the name of each pair: `yo-yo`, or `yo-yo (pooled 5000)` where not every corpus is full."""
    places = dict.fromkeys((result.pair, result.corpus) for result in study.results)
    labelled = any(corpus != FULL for _, corpus in places)
    return {(pair, corpus): f"{pair} ({corpus})" if labelled else pair for pair, corpus in places}


def _highest(study: Study, means: Mapping[Place, Mapping[Setting, float]], best: Mapping[Place, Setting]) -> str:
    label, names = parse_measure(study.findings.measure).label, place_names(study)
    pairs: dict[Setting, list[str]] = {}
    for place, setting in best.items():
        pairs.setdefault(setting, []).append(names[place])
    only = all(len(own) == 1 for own in means.values())
    if len(best) == 1:
        ((place, setting),) = best.items()
        mean = f"{means[place][setting]:.3f}"
        if only:
            return f"{setting.label}, the only {study.strength} that is scored, has a mean {label} of {mean}."
        lowest = min(means[place], key=means[place].__getitem__)
        return (
            f"{setting.label} has the highest mean {label}, {mean}; {lowest.label} has the lowest, "
            f"{means[place][lowest]:.3f}."
        )
    places = [f"{one.label}{by_name(own)}" for one, own in sorted(pairs.items(), key=lambda one: -len(one[1]))]
    if only:
        return f"A single {study.strength} is scored on each pair: {'; '.join(places)}."
    if len(pairs) == 1:
        ((setting, own),) = pairs.items()
        return f"{setting.label} has the highest mean {label}{on_pairs(own, len(best))}."
    return f"The highest mean {label} is at {'; '.join(places)}."


def _gap_bullets(study: Study) -> list[str]:
    label = parse_measure(study.findings.measure).label
    return [
        _gap_sentence(gaps, label)
        for gaps in study.findings.gaps
        if any(one.setting.reg is not None for one in gaps.by_setting)
    ]


def _gap_sentence(gaps: Gaps, label: str) -> str:
    values = {gap.setting: gap.value for gap in gaps.by_setting if gap.setting.reg is not None}
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    ends = dict.fromkeys(f"{signed(values[end])} ({end.label})" for end in (least, most))
    corpus = "" if gaps.corpus == FULL else f" (corpus {gaps.corpus})"
    ahead = "; below 0 the low-resource pairs are ahead" if min(values.values()) < 0 else ""
    return f"Mean {label} of the other pairs less that of the low-resource pairs{corpus}: {' to '.join(ends)}{ahead}."


def _limits(study: Study) -> str:
    """Say in one sentence what keeps a reader from relying on the figures; nothing without a limit."""
    results = study.results
    scored = [result for result in results if result.scores]
    unscored, doubtful = len(results) - len(scored), sum(result.doubtful for result in results)
    corpora = dict.fromkeys(result.corpus for result in scored if result.corpus != FULL)
    off = dict.fromkeys(drift.pair for drift in drifts(study.published, results) if drift.flagged)
    seeds = {result.seed for result in scored if result.setting.is_trained}
    limits = {
        "one seed, so another training may give another result": len(seeds) == 1,
        f"figures on a {listed(list(corpora))} corpus do not compare with those of a full one": corpora,
        f"{unscored} of {several(len(results), 'cell')} without scores": unscored,
        f"{several(doubtful, 'cell')} with transport plans that did not converge (†)": doubtful,
        "approximate search (≈)": any(result.search for result in scored),
        "indexes that keep less than was encoded (‡)": any(result.index for result in scored),
        f"BM25 is off its published figure on {listed(list(off))}": off,
    }
    found = [limit for limit, there in limits.items() if there]
    return f"Limits: {'; '.join(found)}." if found else ""
