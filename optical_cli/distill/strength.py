"""The reg at which a teacher token is spread over a given number of student tokens, when a training starts.

The search is that of t-SNE for a perplexity (van der Maaten and Hinton 2008). Effective targets rise with reg, from
those of the exact plan to those of the product of the marginals.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from optical_cli.config.transport import TOLERATED_SHARE, Transport
from optical_cli.data.bitext import Split
from optical_cli.distill.batch_loss import Idf
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import encode_texts, pad, scored_ids
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError, NotConverged
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals, weighted_marginals
from optical_cli.transport.solvers import format_reg

FILE = "strength.json"
SAMPLE = 512
"""Sentence pairs that the reg is found on, and on which it is checked."""
PLANS = 64
"""Plans that are solved at a time."""
CLOSE = 0.005
"""Distance from the targets, as a share of them, at which the search ends."""
MOST_STEPS = 60
DIGITS = 4
"""Significant digits of the reg, so that what is printed can be typed."""


def write_strength(
    start: Path,
    teacher: TeacherTokens,
    bitexts: Sequence[Split],
    side: Side,
    folder: Path,
    *,
    targets: float,
    transport: Transport,
    setup: EncoderSetup,
) -> dict[str, float]:
    """Find the reg of a number of effective targets on a sample of the training pairs, and write it into an artifact.

    Args:
        start: folder of the student as its training starts.
        teacher: the teacher's encodings of the bitexts.
        bitexts: sentence pairs, in the order of the teacher's encodings.
        side: side that the sentences are encoded as.
        folder: folder of the artifact.
        targets: effective targets, above 1.
        transport: settings of the solver and the marginals.
        setup: lengths of the training, precision, batch size and device.

    Returns:
        facts for the manifest: `reg`, and the effective targets there on the sample (`reached`) and on as many held-out
        pairs (`held_out`, missing without any).

    Raises:
        ConfigError: no reg reaches the targets; the message says which can be reached.
        NotConverged: more plans missed the threshold than are tolerated.
    """
    student = open_encoder(start, setup)
    begins = list(zip(bitexts, teacher.starts(), strict=True))
    trained = [(one, begin + row) for split, begin in begins for row, one in enumerate(split.train)]
    held_out = [
        (one, begin + len(split.train) + row) for split, begin in begins for row, one in enumerate(split.held_out)
    ]
    idf = None
    if transport.marginals == "idf":
        rows, sentences = [row for _, row in trained], [one.foreign for one, _ in trained]
        idf = Idf.of_bitext(teacher, rows, student, sentences, {side: setup.lengths[side]})

    def problems(pairs: Sequence[Any]) -> list[TransportProblem]:
        sample = pairs[:: max(-(-len(pairs) // SAMPLE), 1)]
        rows, sentences = [row for _, row in sample], [one.foreign for one, _ in sample]
        S = encode_texts(student, sentences, side, setup.batch_size)
        ids = scored_ids(student, sentences, side, setup.lengths[side]) if idf else []
        found = []
        for first in range(0, len(rows), PLANS):
            part = slice(first, first + PLANS)
            t, t_mask = teacher.batch(rows[part], side)
            s, s_mask = pad(S[part])
            if idf is None:
                a, b = uniform_marginals(t_mask), uniform_marginals(s_mask)
            else:
                a = weighted_marginals(idf.of_teacher(teacher, rows[part], side), t_mask)
                weights = [idf.student[side].cpu()[torch.from_numpy(one.astype(int))] for one in ids[part]]
                b = weighted_marginals(torch.nn.utils.rnn.pad_sequence(weights, batch_first=True), s_mask)
            found.append(TransportProblem(cosine_cost(t, s), a, b))
        return found

    sample = problems(trained)
    reg, reached = find_reg(lambda reg: effective_targets(sample, reg, transport), targets, transport.smallest_reg)
    found = {"reg": reg, "reached": round(reached, 4)}
    if held_out:
        found["held_out"] = round(effective_targets(problems(held_out), reg, transport), 4)
    (folder / FILE).write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def read_reg(folder: Path) -> float:
    """Return the reg that an artifact holds."""
    return float(json.loads((folder / FILE).read_text(encoding="utf-8"))["reg"])


def find_reg(reached: Callable[[float], float], targets: float, smallest: float) -> tuple[float, float]:
    """Find the reg at which a rising function takes a value, by halving an interval of its logarithm.

    Args:
        reached: effective targets at a reg, which may be inf.
        targets: the value to reach.
        smallest: smallest reg that the solver takes.

    Returns:
        the reg, rounded to four digits, and the effective targets there.

    Raises:
        ConfigError: the value is below that of the smallest reg, or not below that of an infinite one.
        NotConverged: the search did not come close to the value.
    """
    lowest, highest = reached(smallest), reached(math.inf)
    if not lowest <= targets < highest:
        raise ConfigError(
            f"transport.targets: {targets:g} cannot be reached, as a teacher token is spread over {lowest:.2f} student "
            f"tokens at reg {format_reg(smallest)} and over {highest:.2f} at reg inf; choose a value between the two"
        )
    low, high = smallest, 2 * smallest
    while reached(high) < targets:
        low, high = high, 2 * high
    reg, found = smallest, lowest
    for _ in range(MOST_STEPS):
        if abs(found - targets) <= CLOSE * targets:
            break
        reg = float(f"{math.sqrt(low * high):.{DIGITS}g}")
        found = reached(reg)
        low, high = (reg, high) if found < targets else (low, reg)
    else:
        raise NotConverged(
            f"transport.targets: no reg was found for {targets:g}; the nearest, {reg:g}, has {found:.3f}"
        )
    return reg, found


def effective_targets(problems: Sequence[TransportProblem], reg: float, transport: Transport) -> float:
    """Return the mean effective targets of the plans of problems at a reg.

    Raises:
        NotConverged: more plans missed the threshold than are tolerated.
    """
    couplings = [solve(problem, reg, **transport.solve_arguments(reg)) for problem in problems]
    missed = sum(int((~coupling.converged).sum()) for coupling in couplings)
    plans = sum(len(coupling.converged) for coupling in couplings)
    if missed > TOLERATED_SHARE * plans:
        raise NotConverged(
            f"reg {format_reg(reg)}: {missed} of {plans} transport plans missed the threshold {transport.threshold:g} "
            "while the reg of transport.targets was searched; raise transport.max_iterations or transport.threshold"
        )
    return sum(float(coupling.effective_targets.sum()) for coupling in couplings) / plans
