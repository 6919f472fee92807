"""The share of transport in the time of a training step, for each reg of the default grid."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import BertConfig, BertModel

from bench.problems import DIMENSIONS, token_pairs
from bench.results import Recorder
from bench.timing import synchronize
from optical_cli.config.transport import DEFAULT_REGS
from optical_cli.distill.health import TrainingHealth
from optical_cli.encoder.precision import resolve_precision
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

BATCH = 64
TOKENS = 32
ROUNDS = 5
DISPLACEMENT = 0.01  # how far the student's output moves its tokens, see `Step`
MINILM: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "vocab_size": 30522,
}


def run(recorder: Recorder) -> None:
    """Time steps at each reg in turns; a share is transport and whole of the same step."""
    precision = resolve_precision("auto")
    step = Step(precision)
    for reg in DEFAULT_REGS:  # a first call compiles
        step.run(reg)
    times: dict[float, list[tuple[float, float]]] = {reg: [] for reg in DEFAULT_REGS}
    for _ in range(ROUNDS):
        for reg in DEFAULT_REGS:
            times[reg].append(step.run(reg))
    for reg, measured in times.items():
        recorder.add(
            f"transport/share-of-step/reg{reg:g}",
            100 * median(transport / whole for transport, whole in measured),
            "%",
            ours=median(transport for transport, _ in measured),
            peer=median(whole for _, whole in measured),
            peer_name="a whole step",
            unit_of_both="s",
            rounds=ROUNDS,
            precision=precision,
            batch=BATCH,
            tokens=TOKENS,
            **step.last[reg],
        )


class Step:
    """A training step (forward, backward, AdamW) of a student of MiniLM's size with random weights.

    The output of random weights would make unrealistic costs that are solved at once. The student's tokens are
    therefore those of a generated translation, moved slightly by the student's output: costs are realistic, and the
    gradient flows through the whole student.

    Args:
        precision: of the student's matrix products.
        device: a torch device.

    Attributes:
        last: figures of the plans in the last step, for each reg.
    """

    def __init__(self, precision: str, device: str = "cpu") -> None:
        torch.manual_seed(0)
        self._device = device
        self._student = BertModel(BertConfig(**MINILM), add_pooling_layer=False).train().to(device)
        self._projection = torch.nn.Linear(MINILM["hidden_size"], DIMENSIONS, bias=False).to(device)
        self._optimizer = torch.optim.AdamW(list(self._weights()), lr=1e-5, fused=True)
        self._half = precision == "bfloat16"
        self._words = torch.randint(MINILM["vocab_size"], (BATCH, TOKENS)).to(device)
        self._mask = torch.ones(BATCH, TOKENS, dtype=torch.bool, device=device)
        self._t, self._s = (tokens.to(device) for tokens in token_pairs(BATCH, TOKENS, TOKENS))
        self.last: dict[float, dict[str, float]] = {}

    def run(self, reg: float) -> tuple[float, float]:
        """Do one step, and return the seconds of its transport and of the whole step."""
        begin = self._now()
        with torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._half):
            states = self._student(input_ids=self._words, attention_mask=self._mask).last_hidden_state
            output = self._projection(states)
        s = normalize(self._s + DISPLACEMENT * normalize(output.float(), dim=-1), dim=-1)
        loss, transport = self._align(s, reg)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad()
        return transport, self._now() - begin

    def _align(self, s: Tensor, reg: float) -> tuple[Tensor, float]:
        begin = self._now()
        C = cosine_cost(self._t, s)
        problem = TransportProblem(C.detach(), uniform_marginals(self._mask), uniform_marginals(self._mask))
        coupling = solve(problem, reg)
        loss = coupling.cost(C).mean()
        health = TrainingHealth()  # a training computes these figures in each step
        health.add(coupling)
        passed = self._now() - begin
        found = health.summary()
        self.last[reg] = {name: found[name] for name in ("effective_targets", "marginal_error", "iterations")}
        return loss, passed

    def _now(self) -> float:
        """Return the seconds of a clock, after a GPU has done its work."""
        synchronize(self._device)
        return perf_counter()

    def _weights(self) -> Iterator[torch.nn.Parameter]:
        yield from self._student.parameters()
        yield from self._projection.parameters()
