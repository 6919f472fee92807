"""A command that computes nothing must not wait for the packages that compute."""

import pytest

HEAVY = {"torch", "sentence_transformers", "transformers", "numba", "ranx", "ir_datasets", "datasets", "scipy"}

WATCHED = f"""
import sys
from optical_cli.cli import main
try:
    main()
except SystemExit as left:
    print("loaded:", *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
    raise
"""


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["sweep", "--help"],
        ["align", "--help"],
        ["doctor", "--help"],
        ["export", "--help"],
        ["teach", "--help"],
        ["fuse", "--help"],
        ["evaluate", "EXPERIMENT", "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", "CACHE"],
        ["plan", "EXPERIMENT", "--cache-dir", "CACHE"],
        ["plan", "EXPERIMENT", "--offline", "--cache-dir", "CACHE"],
        ["fetch", "EXPERIMENT", "--cache-dir", "CACHE"],
        ["lock", "--help"],
        ["verify", "--help"],
        ["sweep", "EXPERIMENT", "--cache-dir", "CACHE"],
        ["status", "EXPERIMENT", "--cache-dir", "CACHE"],
        ["report", "EXPERIMENT", "--cache-dir", "CACHE", "--output", "FOLDER"],
        ["compare", "EXPERIMENT", "0", "inf", "--cache-dir", "CACHE"],
        ["cache", "list", "--cache-dir", "CACHE"],
        ["evaluate", "absent.yaml"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_where_nothing_is_computed(spawn, lab, swept, tmp_path, command):
    stands_for = {"EXPERIMENT": lab.experiment, "CACHE": swept, "FOLDER": tmp_path}
    process = spawn(*(stands_for.get(word, word) for word in command), code=WATCHED)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (2 if "absent.yaml" in command else 0), err
    assert err.splitlines()[-1] == "loaded:"


def test_bm25_runs_without_torch(spawn, lab, tmp_path):
    command = ["retrieve", lab.experiment, "--objective", "bm25", "--pair", "sw-sw", "--cache-dir", tmp_path / "cache"]
    process = spawn(*command, code=WATCHED)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not {"torch", "sentence_transformers", "transformers"} & set(err.splitlines()[-1].split())


def test_a_report_loads_torch_for_alignments_once_and_never_where_no_student_is_cached(spawn, lab, own_swept, tmp_path):
    def loaded(cache):
        process = spawn(
            *("report", lab.experiment, "--cache-dir", cache, "-o", tmp_path / "report", "--alignments", "1"),
            code=WATCHED,
        )
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return set(err.splitlines()[-1].split()[1:]), err

    assert "torch" in loaded(own_swept)[0]
    page = (tmp_path / "report" / "report.html").read_bytes()
    assert loaded(own_swept)[0] == set()
    assert (tmp_path / "report" / "report.html").read_bytes() == page
    for checkpoint in own_swept.glob("checkpoints/*/manifest.json"):
        checkpoint.unlink()
    heavy, said = loaded(own_swept)
    assert heavy == set()
    assert "--alignments: nothing to show" in said
