import json

import pytest

from bench.gpu import __main__ as gpu
from bench.gpu.proof import REDUCED, Proof
from bench.results import Recorder
from optical_cli.errors import DataError


@pytest.fixture
def proof(tmp_path):
    return Proof(Recorder(tmp_path / "lines.jsonl", {}), "cpu", REDUCED)


def test_the_reduced_form_passes_on_a_cpu(tmp_path, capsys):
    path = tmp_path / "gpu.json"
    assert gpu.main(["--device", "cpu", "--reduced", "--out", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["failed"] == []
    names = {result["name"] for result in found["results"]}
    for part in (
        "transport/quadratic/plan",
        "transport/32x32/reg0.1/vs-pot-batch",
        "transport/share-of-step/reg0.1",
        "search/bfloat16/topics-unlike-cpu",
        "search/float32/vs-st",
        "encode/embeddings",
        "encode/bfloat16/vs-st",
        "train/bfloat16/pairs-per-second",
        "tiny/figures",
    ):
        assert f"gpu/{part}" in names
    assert "| gpu/tiny/figures" in capsys.readouterr().out


def test_a_missing_gpu_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: torch sees no CUDA device; run `make gpu` on a machine with a GPU")
    assert err.count("\n") == 1


def test_another_device_needs_the_reduced_form(capsys):
    assert gpu.main(["--device", "cpu"]) == 2
    assert capsys.readouterr().err == "error: --device cpu: expected cuda or cuda:1; other devices need --reduced\n"


def test_a_failed_check_ends_with_its_name_and_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "PARTS", {"gpu/one": lambda proof: proof.check("gpu/one/plan", 0.5, 0.1, reg=0.02)})
    assert gpu.main(["--device", "cpu", "--reduced", "--out", str(tmp_path / "gpu.json")]) == 1
    assert "failed: gpu/one/plan: at most 0.1 expected, found 0.5; reg 0.02\n" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.2, float("nan"), float("inf")])
def test_a_difference_that_is_too_large_or_no_number_fails(proof, value):
    proof.check("a", 0.1, 0.1)
    assert proof.failed == []
    proof.check("b", value, 0.1)
    assert [line.split(":")[0] for line in proof.failed] == ["b"]


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: out of memory\nmore"), DataError("costs: not finite")])
def test_a_part_with_an_error_is_a_failure_and_no_traceback(proof, error):
    with proof.part("gpu/search"):
        raise error
    assert proof.failed == [f"gpu/search: {type(error).__name__}: {str(error).splitlines()[0]}"]


def test_a_solver_that_differs_on_the_device_is_found(proof, monkeypatch):
    from bench.gpu import transport

    whole = transport._on_cpu
    shifted = lambda coupling: transport.replace(whole(coupling), plan=whole(coupling).plan + 0.01)  # noqa: E731
    monkeypatch.setattr(transport, "_on_cpu", shifted)
    transport.check(proof)
    assert "gpu/transport/sinkhorn/plan" in {line.split(":")[0] for line in proof.failed}


def test_topics_with_other_documents_on_the_device_are_counted(proof, monkeypatch):
    from bench.gpu import search

    whole, calls = search.search_exactly, []

    def other(*arguments):
        calls.append(arguments)
        found = whole(*arguments)
        return [(numbers + 1, scores) for numbers, scores in found] if len(calls) == 1 else found

    monkeypatch.setattr(search, "search_exactly", other)
    search.check_and_measure(proof)
    assert [line.split(":")[0] for line in proof.failed] == ["gpu/search/float32/topics-unlike-cpu"]
