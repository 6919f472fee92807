"""What a report says about significance: which differences are shown, how they are tested, and what is not shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optical_cli.artifacts.result import Setting, strength_of
from optical_cli.config.objectives import OBJECTIVES, UNTRAINED
from optical_cli.errors import several
from optical_cli.report.findings.comparison import ABOVE, BELOW, EQUIVALENT, Comparison
from optical_cli.report.findings.find import Findings
from optical_cli.report.findings.pairs import Interaction
from optical_cli.report.text import listed, p_value
from optical_cli.transport.solvers import format_reg

Place = tuple[str, str]
"""A pair and its corpus mode."""
SHOWN = "p < .05, corrected"
MOST_NAMED = 3  # pairs that a sentence names; it counts more


def named(setting: Setting) -> str:
    """Return the setting's label as a sentence has it: `the untrained start`, `reg 0.02`."""
    return f"the {setting.label}" if setting.objective == UNTRAINED else setting.label


def on_pairs(some: Sequence[str], of: int, having: str = "") -> str:
    """`on all 3 pairs`, `on both pairs`, `on 2 of 3 pairs`; nothing for a single pair, unless only it is `having`."""
    if of == 1:
        return f" on the pair{having}" if having else ""
    if len(some) == of:
        return f" on {'both' if of == 2 else f'all {of}'} pairs{having}"
    return f" on {len(some)} of {of} pairs{having}"


def by_name(pairs: Sequence[str]) -> str:
    """`on sw-en`, `on sw-en and en-sw`, `on 7 pairs`."""
    return f" on {listed(pairs)}" if len(pairs) <= MOST_NAMED else f" on {len(pairs)} pairs"


@dataclass(frozen=True)
class Outcome:
    """How the best reg of each pair compares with a reference: the names of the pairs of each kind."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    equivalent: tuple[str, ...]  # within the margin, and no difference is shown
    not_shown: tuple[str, ...]
    itself: tuple[str, ...]  # the reference is the best reg there

    @property
    def pairs(self) -> int:
        """The number of pairs that have the reference."""
        shown = len(self.above) + len(self.below) + len(self.equivalent)
        return shown + len(self.not_shown) + len(self.itself)


def best_against_references(findings: Findings, best: Mapping[Place, Setting], names: Mapping[Place, str]) -> list[str]:
    """Say where the best reg of each pair is above or below the references, a sentence for each outcome.

    Choosing the best reg first does no harm: p is corrected for the comparisons of every reg.
    """
    known = {(one.pair, one.corpus, one.setting, one.reference): _outcome(one) for one in findings.comparisons}
    alike: dict[Outcome, list[str]] = {}
    of_itself: list[str] = []  # where the best reg is a reference
    strength = strength_of(best.values())
    for reference in findings.references:
        found: dict[str, list[str]] = {ABOVE: [], BELOW: [], EQUIVALENT: [], "": [], "itself": []}
        for place, setting in best.items():
            mark = "itself" if setting == reference else known.get((*place, setting, reference))
            if mark is not None:
                found[mark].append(names[place])
        outcome = Outcome(*map(tuple, found.values()))
        if outcome.pairs > len(outcome.itself):
            alike.setdefault(outcome, []).append(named(reference))
        elif outcome.itself:
            own = [one for one in findings.comparisons if one.reference == reference and one.setting.reg is not None]
            lower = sum(one.mark == BELOW for one in own)
            of_itself.append(
                f"{named(reference)} is shown to be above another {strength} in {lower} of "
                f"{several(len(own), 'comparison')} ({SHOWN})."
            )
    labels = {setting.label for setting in best.values()}
    subject = next(iter(labels)) if len(labels) == 1 else f"The best {strength} of each pair"
    margin = margin_of(findings.comparisons)
    against = [
        _sentence(subject, outcome, references, len(best), strength, margin) for outcome, references in alike.items()
    ]
    return [*against, *of_itself]


def _outcome(one: Comparison) -> str:
    return one.mark or (EQUIVALENT if one.equivalent else "")


def margin_of(compared: Iterable[Comparison]) -> float | None:
    """Return the margin of the tests of equivalence; None if there are none."""
    return next((one.margin for one in compared), None)


def _sentence(
    subject: str, outcome: Outcome, references: Sequence[str], pairs: int, strength: str, margin: float | None
) -> str:
    against, of = listed(references), outcome.pairs
    having = (" that has it" if of == 1 else " that have it") if of < pairs else ""
    itself = f"; {against} is the best {strength} itself{by_name(outcome.itself)}" if outcome.itself else ""
    if not outcome.above and not outcome.below and not outcome.equivalent:
        several_pairs = f" on {'either pair' if of == 2 else f'any of the {of} pairs'}{having}"
        everywhere = several_pairs if of > 1 else on_pairs(outcome.not_shown, of, having)
        return f"{subject} is not shown to differ from {listed(references, 'or')}{everywhere}{itself}."
    parts: list[str] = []
    for word, some in (("above", outcome.above), ("below", outcome.below)):
        if some and not parts:
            parts.append(f"{word} {against}{on_pairs(some, of, having)} ({SHOWN})")
        elif some:
            parts.append(f"{word}{by_name(some)}")
    if outcome.equivalent and not parts:
        within = f"equivalent within {margin:g} to {against}"
        parts.append(f"{within}{on_pairs(outcome.equivalent, of, having)} ({SHOWN})")
    elif outcome.equivalent:
        parts.append(f"equivalent within {margin:g}{by_name(outcome.equivalent)}")
    if outcome.not_shown:
        parts.append(f"{'not shown' if margin is None else 'not decided'}{by_name(outcome.not_shown)}")
    return f"{subject} is {'; '.join(parts)}{itself}."


def pairs_differ(interactions: Iterable[Interaction]) -> list[str]:
    """Say whether the effect of reg differs between the pairs of a corpus mode."""
    return [
        f"The effect of {strength_of(found.settings)} differs between {_pairs(found)} (p < .05)."
        if found.shown
        else f"It is not shown that the effect of {strength_of(found.settings)} differs between {_pairs(found)}."
        for found in interactions
    ]


def _pairs(found: Interaction) -> str:
    return listed(found.pairs) if len(found.pairs) <= MOST_NAMED else f"the {len(found.pairs)} pairs"


def legend(findings: Findings) -> str:
    """What the marks of a table mean, in a line."""
    return (
        f"{ABOVE} above, {BELOW} below {_lettered(findings)}: {SHOWN} for {len(findings.comparisons)} tests."
        f"{_alike(findings)} No mark: no difference is shown."
    )


def _alike(findings: Findings) -> str:
    """Explain the mark of equivalence; nothing if it is not tested."""
    margin = margin_of(findings.comparisons)
    if margin is None:
        return ""
    return f" {EQUIVALENT} equivalent to it within {margin:g}: two one-sided tests, {SHOWN}."


def legend_in_full(findings: Findings, over: str) -> str:
    """What the marks of a table mean, for a caption that has to stand alone; intervals are `over` topics, or more."""
    return (
        f"{ABOVE} above, {BELOW} below {_lettered(findings)}: paired randomization test over topics, p < .05 after "
        f"Holm's correction for {len(findings.comparisons)} tests, and a 95 % interval of the difference over {over} "
        f"that leaves out 0.{_alike(findings)} No mark: no difference is shown."
    )


def _lettered(findings: Findings) -> str:
    compared = {one.reference for one in findings.comparisons}
    return " or ".join(
        f"{named(reference)} ({findings.letter(reference)})"
        for reference in findings.references
        if reference in compared
    )


def how_tested(findings: Findings, seeds: int) -> list[str]:
    """Explain the table of tests: every figure in it, and what a missing mark means."""
    over = "topics and seeds" if seeds > 1 else "topics"
    about_seeds = (
        "Seeds that agree: the number of seeds whose difference has the sign of the mean difference."
        if seeds > 1
        else "With one seed the tests are about these students. Whether another training gives the same result is not "
        "tested."
    )
    return [
        f"A row compares two settings on the same topics. The difference is that of the means, and its 95 % interval "
        f"is a bootstrap over {over}. p comes from a two-sided paired randomization test over topics; p (Holm) is "
        f"corrected for all {len(findings.comparisons)} rows. The resampling starts from seed {findings.seed}.",
        f"A difference is shown, and marked {ABOVE} or {BELOW}, if p (Holm) is below .05 and the interval leaves out "
        "0. Two settings without a mark need not be equal: the experiment may be too small to tell them apart. The "
        "detectable difference says how small a true difference can be and still be shown four times in five (80 % "
        "power, before the correction).",
        *_how_equivalent(findings),
        "d_z is the effect size: the mean difference over its standard deviation between topics. By Cohen's convention "
        "0.2 is small, 0.5 medium and 0.8 large.",
        about_seeds,
    ]


def _how_equivalent(findings: Findings) -> list[str]:
    margin = margin_of(findings.comparisons)
    if margin is None:
        return []
    return [
        f"Two settings are equivalent within {margin:g} (evaluation.margin) if two one-sided t tests show that the "
        "difference is neither above the margin nor below its negative (TOST); their p is corrected for all rows too. "
        "A difference can be shown and still be within the margin. Where neither is shown, the tests do not decide."
    ]


def totals(findings: Findings) -> list[str]:
    """Count the outcomes of all comparisons, a sentence for each reference."""
    said = []
    for reference in findings.references:
        own = [one for one in findings.comparisons if one.reference == reference]
        if own:
            above, below = (sum(one.mark == mark for one in own) for mark in (ABOVE, BELOW))
            strength = strength_of(one.setting for one in own)
            said.append(
                f"Against {named(reference)}: of {several(len(own), 'comparison')} (a {strength} on a pair), "
                f"{above} higher, {below} lower, {_rest(own)}."
            )
    return said


def _rest(own: Sequence[Comparison]) -> str:
    """Count the comparisons without a shown difference: `3 not shown to differ`; with a margin, what they show."""
    plain = [one for one in own if not one.mark]
    margin = margin_of(own)
    if margin is None:
        return f"{len(plain)} not shown to differ"
    alike = sum(one.equivalent for one in plain)
    return f"{alike} equivalent within {margin:g}, {len(plain) - alike} not decided"


def interaction_test(found: Interaction) -> str:
    """Say how the effect of reg was compared between pairs, and with what result."""
    seeds = "" if found.p_seeds is None else f"; F test over seeds, {_equals(found.p_seeds)}"
    strength = strength_of(found.settings)
    return (
        f"The effect of {len(found.settings)} values of {strength} is {'' if found.shown else 'not '}shown to differ "
        f"between {listed(found.pairs)}, in shape or in size (permutation test over topics, {_equals(found.p)}{seeds})."
    )


def _equals(p: float) -> str:
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def on_one_pair(compared: Sequence[Comparison]) -> list[str]:
    """Say which values of reg are above, below or not shown to differ from each reference on a pair."""
    alike: dict[str, list[str]] = {}
    for reference in dict.fromkeys(one.reference for one in compared):
        own = [one for one in compared if one.reference == reference]
        margin, marks = margin_of(own), (ABOVE, BELOW, EQUIVALENT, "")
        above, below, alike_ones, rest = ([one for one in own if _outcome(one) == mark] for mark in marks)
        detectable = f" (detectable difference: {max(one.smallest for one in rest):.3f})" if rest else ""
        undecided = "not shown to differ" if margin is None else "not decided"
        parts = {
            f"{_values(above, len(own))} higher": above,
            f"{_values(below, len(own))} lower": below,
            f"{_values(alike_ones, len(own))} equivalent within {margin or 0:g}": alike_ones,
            f"{_values(rest, len(own))} {undecided}{detectable}": rest,
        }
        alike.setdefault("; ".join(part for part, some in parts.items() if some), []).append(named(reference))
    return [f"Against {listed(references)}: {outcome}." for outcome, references in alike.items()]


def _values(some: Sequence[Comparison], of: int) -> str:
    if len(some) == of > 1:
        strength = strength_of(one.setting for one in some)
        return f"every other {strength}" if some[0].reference.reg is not None else f"every {strength}"
    named = [one.setting for one in some if one.setting.reg is not None]
    name = OBJECTIVES[named[0].objective].strength if named else "reg"
    return f"{name} {listed([format_reg(setting.reg or 0.0) for setting in named])}"
