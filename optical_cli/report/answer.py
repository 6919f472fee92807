"""The answer in sentences that say no more than the tests do."""

from collections import Counter
from collections.abc import Iterator, Sequence

from optical_cli.artifacts.result import Result, Setting, format_reg
from optical_cli.config.measures import parse_measure
from optical_cli.report.findings import Choice, Comparison, Gap, Gaps
from optical_cli.report.findings.comparison import ABOVE, BELOW
from optical_cli.report.published import drift_sentences, drifts
from optical_cli.report.study import Study
from optical_cli.report.table import FULL, approximate_note, smaller_note, tabulate
from optical_cli.report.text import listed, p_value, percent, several, signed


def answer(study: Study) -> list[str]:
    """What is to be said of all pairs together, then of each."""
    return [*overall(study), *pair_by_pair(study)]


def overall(study: Study) -> list[str]:
    """What holds for all pairs together and how far it goes; paragraphs."""
    checked = drift_sentences(drifts(study.published, study.results))
    paragraphs = [
        _counted(study),
        " ".join(_of_pairs(study)),
        " ".join(_of_gaps(gaps, study.findings.measure) for gaps in study.findings.gaps),
        " ".join(checked),
        " ".join(_scope(study)),
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def pair_by_pair(study: Study) -> list[str]:
    """A paragraph for each pair that has a curve."""
    pairs = dict.fromkeys((result.pair, result.corpus) for result in study.results if result.scores)
    return [paragraph for pair in pairs if (paragraph := " ".join(_of_pair(study, *pair)))]


def _counted(study: Study) -> str:
    """Which reg is best on how many pairs, and how many comparisons came out which way."""
    best = Counter(choice.best for choice in study.findings.choices)
    if best.total() < 2:
        return ""
    counted = [f"{setting.label} on {count}" for setting, count in best.most_common()]
    sentences = [f"The highest mean is that of {listed(counted)} of {best.total()} pairs."]
    for reference in study.findings.references:
        compared = [one for one in study.findings.comparisons if one.reference == reference]
        above, below = (sum(one.mark == mark for one in compared) for mark in (ABOVE, BELOW))
        sentences.append(
            f"Against {reference.label}, {above} of {len(compared)} values of reg scored higher, {below} lower, and "
            f"{len(compared) - above - below} were not shown to differ."
        )
    return " ".join(sentences)


def _of_pair(study: Study, pair: str, corpus: str) -> Iterator[str]:
    own = [result for result in study.results if (result.pair, result.corpus) == (pair, corpus)]
    means = _means(study, own)
    if not means:
        return
    label = parse_measure(study.findings.measure).label
    low, high = min(means, key=lambda setting: means[setting]), max(means, key=lambda setting: means[setting])
    seeds = len({result.seed for result in own if result.scores and result.reg is not None})
    topics = max(result.scores.topics for result in own if result.scores)
    where = "" if corpus == FULL else f", corpus {corpus}"
    yield f"{pair} ({several(topics, 'topic')}, {several(seeds, 'seed')}{where}):"
    if len(means) == 1:
        yield f"{label} is {means[low]:.3f} at {low.label}, the only reg that was scored."
    else:
        yield (
            f"over {len(means)} values of reg, mean {label} goes from {means[low]:.3f} ({low.label}) "
            f"to {means[high]:.3f} ({high.label})."
        )
    yield from _against_all([one for one in study.findings.comparisons if (one.pair, one.corpus) == (pair, corpus)])
    for choice in study.findings.choices:
        if (choice.pair, choice.corpus) == (pair, corpus):
            yield _chosen(choice)


def _means(study: Study, results: Sequence[Result]) -> dict[Setting, float]:
    """By reg, the mean over topics and seeds."""
    table = tabulate([result for result in results if result.reg is not None], [study.findings.measure])
    return {row.setting: row.cells[0].mean for row in table.rows if row.cells[0].mean is not None}


def _against_all(compared: Sequence[Comparison]) -> Iterator[str]:
    """A sentence for each reference; those of which the same is to be said share one."""
    said: dict[str, list[str]] = {}
    for reference in dict.fromkeys(one.reference for one in compared):
        sentence = _against([one for one in compared if one.reference == reference])
        said.setdefault(sentence, []).append(reference.label)
    for sentence, references in said.items():
        yield f"Against {listed(references)}, {sentence}."


def _against(compared: Sequence[Comparison]) -> str:
    parts = [
        f"{_named(marked, len(compared))} scored {word}"
        for mark, word in ((ABOVE, "higher"), (BELOW, "lower"))
        if (marked := [one for one in compared if one.mark == mark])
    ]
    rest = [one for one in compared if not one.mark]
    if rest:
        smallest = max(one.smallest for one in rest)
        parts.append(
            f"for {_named(rest, len(compared))} no difference was shown (a true one of {smallest:.3f} would have been "
            "seen four times in five, before correction)"
        )
    return listed(parts)


def _named(some: Sequence[Comparison], of: int) -> str:
    if len(some) == of > 1:
        return "every other reg" if some[0].reference.reg is not None else "every reg"
    return f"reg {listed([format_reg(one.setting.reg) for one in some if one.setting.reg is not None])}"


def _chosen(choice: Choice) -> str:
    setting, share = choice.shares[0]
    text = (
        f"A reg chosen on some topics scored {choice.score:.3f} on the others ({setting.label} in {percent(share)} of "
        f"the choices); the best on all topics, {choice.best.label}, would flatter by {signed(choice.flattered)}."
    )
    for chosen in dict.fromkeys(one.setting for one in choice.by_bitext):
        by = [one for one in choice.by_bitext if one.setting == chosen]
        rulers = listed([one.ruler for one in by])
        text += f" On the held-out bitext, {chosen.label} is best by {rulers}: {by[0].score:.3f}."
    return text


def _of_pairs(study: Study) -> Iterator[str]:
    """On whether the effect of reg depends on the pair."""
    for found in study.findings.interactions:
        differ = "was shown" if found.shown else "was not shown"
        seeds = "" if found.p_seeds is None else f", F test over seeds, p {_equals(p_value(found.p_seeds))}"
        yield (
            f"That the effect of reg differs between {listed(list(found.pairs))} (in shape or in size) {differ}: "
            f"permutation test over topics, {len(found.settings)} values of reg, p {_equals(p_value(found.p))}{seeds}."
        )


def _of_gaps(gaps: Gaps, measure: str) -> str:
    """The gap, from the reg where it is least to the one where it is most."""
    trained = [gap for gap in gaps.by_setting if gap.setting.reg is not None]
    if not trained:
        return ""
    least, most = min(trained, key=lambda gap: gap.value), max(trained, key=lambda gap: gap.value)
    between = f"{listed(list(gaps.high))} less that of the low-resource {listed(list(gaps.low))}"
    reach = (
        f"is {_with_interval(least)}"
        if least == most
        else f"goes from {_with_interval(least)} to {_with_interval(most)}"
    )
    return f"The mean {parse_measure(measure).label} of {between} {reach}."


def _with_interval(gap: Gap) -> str:
    ends = f"{signed(gap.interval.low)} to {signed(gap.interval.high)}"
    return f"{signed(gap.value)} ({gap.setting.label}; 95 % interval {ends})"


def _scope(study: Study) -> Iterator[str]:
    corpora = [corpus for corpus in dict.fromkeys(result.corpus for result in study.results) if corpus != FULL]
    seeds = {result.seed for result in study.results if result.reg is not None and result.scores}
    if corpora:
        yield f"Figures on a {listed(corpora)} corpus do not compare with those of a full one."
    if len(seeds) == 1:
        yield "With one seed nothing here says whether another training would come out the same."
    searches = [result.search for result in study.results if result.search]
    if searches:
        yield approximate_note(searches)
    smaller = [result.index.in_words for result in study.results if result.index and result.scores]
    if smaller:
        yield smaller_note(smaller)
    unscored = sum(result.scores is None for result in study.results)
    if unscored:
        yield f"{unscored} of {len(study.results)} cells have no scores."
    doubtful = sum(result.doubtful for result in study.results)
    if doubtful:
        yield f"{several(doubtful, 'cell')} of students whose transport plans did not converge are marked †."


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"
