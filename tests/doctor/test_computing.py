from dataclasses import replace

import numpy as np
import pytest

from optical_cli.doctor.computing import look_at_compiled, try_search, try_transport
from optical_cli.retrieve.maxsim import MaxSim
from optical_cli.transport import solve


@pytest.mark.parametrize("seed", range(2))
def test_what_works_is_found_to_work(seed):
    findings = [try_transport(seed), *try_search(seed)]
    assert [finding.what for finding in findings] == ["transport", "search float32", "search bfloat16"]
    assert {finding.state for finding in findings} == {"ok"}, findings


def test_plans_that_cost_too_much_are_found(monkeypatch):
    def worse(problem, reg):
        blunt = problem.a[:, :, None] * problem.b[:, None, :]  # its marginals are right, so it counts as converged
        return replace(solve(problem, reg), plan=blunt)

    monkeypatch.setattr("optical_cli.transport.solve", worse)
    finding = try_transport()
    assert finding.state == "fault"
    assert finding.found.startswith("an error of ")
    assert "report the output of" in finding.mend


def test_plans_of_nothing_are_found(monkeypatch):
    monkeypatch.setattr("optical_cli.transport.solve", lambda p, reg: replace(solve(p, reg), plan=0 * p.cost * np.nan))
    assert try_transport().state == "fault"


def test_a_missed_document_and_a_wrong_score_are_found(monkeypatch):
    whole = MaxSim.best

    def missing(self, queries, depth, advance):
        return (
            (numbers[1:], scores[1:])
            for numbers, scores in (
                (n[np.argsort(-s)], np.sort(s)[::-1]) for n, s in whole(self, queries, depth, advance)
            )
        )

    monkeypatch.setattr(MaxSim, "best", missing)
    assert [(f.state, f.found) for f in try_search()] == [("fault", "a document among the 10 best was missed")]
    monkeypatch.setattr(MaxSim, "best", lambda *given: ((n, s + np.float32(0.01)) for n, s in whole(*given)))
    assert [finding.state for finding in try_search()] == ["fault", "fault"]


def test_code_that_was_not_compiled_is_told(monkeypatch):
    from optical_cli.transport.sinkhorn_numba import _solve_plans

    try_transport()
    assert "transport: not compiled" not in look_at_compiled().found
    monkeypatch.setattr(type(_solve_plans.stats), "cache_path", "/nowhere", raising=False)
    assert (look_at_compiled().state, "optical warm-up" in look_at_compiled().mend) == ("warning", True)
