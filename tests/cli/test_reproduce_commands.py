import json
import os

import pytest

OTHER = "0" * 64


@pytest.fixture
def locked(own_lab, optical, tmp_path):
    """A locked experiment: run a command on it, and change the lock by a function of its content."""
    assert optical("lock", own_lab.experiment, "--cache-dir", tmp_path / "cache").code == 0
    path = own_lab.experiment.with_suffix(".lock")

    def run(*arguments, command="plan", change=None):
        if change is not None:
            content = json.loads(path.read_text())
            change(content)
            path.write_text(json.dumps(content))
        return optical(command, own_lab.experiment, *arguments, "--cache-dir", tmp_path / "cache")

    return run


def test_the_lock_says_what_the_figures_come_from(own_lab, optical, tmp_path):
    from optical_cli.cache.fingerprints import sha256_of_file

    said = optical("lock", own_lab.experiment, "--cache-dir", tmp_path / "cache")
    path = own_lab.experiment.with_suffix(".lock")
    assert (said.code, said.out) == (0, f"{path}\n")
    content = json.loads(path.read_text())
    assert list(content["inputs"])[:3] == ["teacher.model", "bitext.sw", "pairs.sw-sw.collection"]
    assert content["inputs"]["bitext.sw"] == {
        "source": "bitext.tsv", "content": content["inputs"]["bitext.sw"]["content"], "revision": None
    }  # fmt: skip
    assert content["inputs"]["pairs.sw-sw.qrels"]["content"] == sha256_of_file(own_lab.data / "qrels.trec")
    assert {"torch", "optical-cli", "ranx", "llvmlite"} <= set(content["packages"])
    assert not {"pytest", "ruff"} & set(content["packages"])
    assert content["machine"]["precision"] == {"encoding": "float32", "training": "float32"}
    again = optical("lock", own_lab.experiment, "--json", "--cache-dir", tmp_path / "cache")
    assert json.loads(again.out) == {"path": str(path), **content}


def about_the_lock(said):
    """What was printed, but for warnings of the mini world: its topics are in its bitext, its runs are short."""
    expected = ("warning: bitext.sw: ", "warning: evaluation.measures: ")
    return [line for line in said.err.splitlines() if not line.startswith(expected)]


def test_what_is_as_it_was_locked_is_not_spoken_of(locked):
    for said in (locked(), locked("--locked")):
        assert (said.code, about_the_lock(said)) == (0, [])


@pytest.mark.parametrize("command", ["plan", "sweep", "status", "report"])
def test_another_content_is_refused_by_its_key(locked, own_lab, leftovers, tmp_path, command):
    own_lab.bitext.write_text(own_lab.bitext.read_text() + "a new net\twavu mpya\n")
    said = locked(command=command)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: {own_lab.root / 'mini.lock'}: bitext.sw: bitext.tsv (content ")
    assert line.endswith(
        f"; restore the locked input, or lock the present inputs with `optical lock {own_lab.experiment}`"
    )
    assert leftovers(tmp_path / "cache") == []


def test_another_pair_is_refused_and_one_that_is_gone_is_not(locked):
    pairs = "pairs={sw-sw: {collection: ./data}, en-en: {collection: ./data}}"
    said = locked("--set", pairs)
    assert (said.code, len(said.errors)) == (2, 3)
    assert "mini.lock: pairs.en-en.collection: is not in the lock file, found ./data (content " in said.errors[0]
    assert locked("--set", "pairs={sw-sw: {collection: ./data}}").code == 0


def test_what_came_from_the_hub_is_named_at_its_commit(locked):
    def pinned(content):
        for key in ("teacher.model", "bitext.sw"):
            content["inputs"][key] = {"source": "acme/there", "content": OTHER, "revision": "c" * 40}

    model, bitext = locked(change=pinned).errors
    assert "teacher.model: acme/there at cccccccccccc (content 000000000000) expected, found ./teacher" in model
    assert f"; set teacher.model to acme/there@{'c' * 40}, or " in model
    assert f"; set bitext.sw.revision to {'c' * 40}, or " in bitext


def other_versions(content):
    content["python"] = "3.9.1"
    content["packages"]["torch"] = "1.0"


def other_machine(content):
    content["machine"]["units"] = ["avx2"]
    content["machine"]["threads"] = 64
    content["machine"]["precision"]["training"] = "bfloat16"


def other_limits(content):
    content["machine"]["limits"] = {"ATEN_CPU_CAPABILITY": "avx2"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_versions, ["other versions: python {python} (3.9.1 locked), torch {torch} (1.0 locked)"]),
        (
            other_machine,
            [
                "training.precision is float32 (bfloat16 locked); "
                "--set training.precision=bfloat16 restores the locked one",
                "another number of threads: {threads} (64 locked); set OMP_NUM_THREADS=64",
                "other instruction sets: {units} (avx2 locked)",
            ],
        ),
        (other_limits, ["other limits on instruction sets: none (ATEN_CPU_CAPABILITY=avx2 locked)"]),
    ],
)
def test_other_versions_and_another_machine_are_told_or_refused(locked, own_lab, change, said):
    import platform

    import torch

    from optical_cli.machine import instruction_sets

    here = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "units": " ".join(instruction_sets()) or "unknown",
        "threads": os.environ["OMP_NUM_THREADS"],
    }
    lines = [f"{own_lab.root / 'mini.lock'}: {line.format(**here)}" for line in said]
    told = locked(change=change)
    assert told.code == 0
    assert about_the_lock(told) == [f"{line}; last digits may differ" for line in lines]
    refused = locked("--locked")
    assert (refused.code, refused.out) == (2, "")
    assert refused.errors == [f"error: {line}" for line in lines]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2}', "[" * 100_000, '{"format": 1, "inputs": {"a": {"source": "b", "content": "c"}}}'],
    ids=["empty", "cut", "list", "format", "deep", "fields"],
)
def test_a_lock_that_is_none_is_one_line(locked, own_lab, text):
    (own_lab.root / "mini.lock").write_text(text)
    said = locked()
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert "mini.lock: a lock file of format 1 expected, found " in said.err


def test_what_cannot_be_locked(optical, own_lab, tmp_path):
    (own_lab.root / "mini.lock").mkdir()
    (own_lab.root / "mini.lock" / "file").touch()
    said = optical("lock", own_lab.experiment, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out) == (2, "")
    assert said.errors == [
        f"error: {own_lab.root / 'mini.lock'}: cannot be written; copy the experiment to a folder that you can write to"
    ]
    assert "is part of the package" in optical("lock", "tiny").err
    said = optical("plan", "tiny", "--locked", "--cache-dir", tmp_path / "cache")
    assert said.errors == ["error: --locked: tiny has no lock file; it is part of the package, so leave out --locked"]


def test_a_table_a_record_and_what_differs(optical, lab, own_swept):
    said = optical("verify", lab.experiment, "--cache-dir", own_swept)
    assert said.code == 0, said.err
    assert said.out.count("same") == 12
    assert said.err.splitlines()[-1] == "12 of 12 artifacts identical, 0 not"
    (path,) = own_swept.glob("runs/sw-sw-full-reg0-*/run.trec")
    scores = next(own_swept.glob("scores/sw-sw-full-reg0-*/scores.json"))
    text = scores.read_text()
    scores.write_text(text.replace("1.0", "0.0", 1))
    said = optical("verify", lab.experiment, "--json", "--cache-dir", own_swept)
    assert said.code == 1
    wrong = [record for record in json.loads(said.out) if record["state"] != "same"]
    assert [(record["label"], record["state"]) for record in wrong] == [("sw-sw-full-reg0-seed13", "damaged")]
    assert "SHA-256 differs" in wrong[0]["reasons"][0]
    assert said.err.splitlines()[-1] == "11 of 12 artifacts identical, 1 not"
    scores.write_text(text)
    path.unlink()
    path.with_name("manifest.json").unlink()
    said = optical("verify", lab.experiment, "--cache-dir", own_swept)
    assert said.code == 0
    assert "inputs are damaged or not in the cache: runs/sw-sw-full-reg0-seed13" in said.out
    assert said.err.splitlines()[-1] == "11 of 12 artifacts identical, 0 not"


def test_deep_of_a_kind(optical, lab, swept):
    said = optical("verify", lab.experiment, "--deep", "--kind", "runs", "--cache-dir", swept, "--device", "cpu")
    assert said.code == 0, said.err
    assert said.out.count("same") == 12
    assert "runs/sw-sw-full-none-" in said.err


def test_what_cannot_be_asked(optical, lab, swept, tmp_path):
    said = optical("verify", lab.experiment, "--kind", "runs", "--cache-dir", swept)
    assert said.errors == [
        "error: --kind: needs --deep, as only scores are verified without it; add --deep, or leave out --kind"
    ]
    said = optical("verify", lab.experiment, "--deep", "--kind", "run", "--cache-dir", swept)
    assert (said.code, len(said.errors)) == (2, 1)
    assert said.errors[0].startswith("error: --kind run: one of encodings, states, strengths, checkpoints, ")
    said = optical("verify", lab.experiment, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out) == (2, "")
    assert "the cache holds nothing to verify; run `optical sweep " in said.err


@pytest.fixture
def why(optical, lab):
    def ask(stage, cache, *asked, experiment=None):
        said = optical("why", stage, experiment or lab.experiment, "--cache-dir", cache, *asked, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    return ask


def differences(explanation):
    return {d["what"]: (d["there"], d["wanted"]) for d in explanation["differences"]}


def test_what_is_there_needs_no_reason(why, optical, lab, swept):
    (found,) = why("evaluate", swept, "--reg", "0.1", "--pair", "sw-sw")
    assert (found["cached"], found["nearest"], found["differences"]) == (True, None, [])
    said = optical("why", "distill", lab.experiment, "--reg", "inf", "--cache-dir", swept)
    assert "checkpoints/sw-reginf-seed13: in the cache, " in said.out


def test_a_setting_is_named_with_both_values(why, swept):
    (found,) = why("distill", swept, "--reg", "0.1", "--pair", "sw-sw", "--set", "training.epochs=3")
    assert not found["cached"]
    assert "sw-reg0.1-seed13" in found["nearest"]
    assert differences(found) == {"training.epochs": ("1", "3")}


def test_the_nearest_has_the_fewest_differences(why, swept):
    (found,) = why("distill", swept, "--reg", "0.5", "--seed", "7", "--pair", "sw-sw")
    assert "sw-reg0.1-seed13" in found["nearest"]  # the one of 0 and that of inf have nothing to converge
    assert differences(found) == {"transport.reg": ("0.1", "0.5"), "seed": ("13", "7")}


def test_a_difference_upstream_is_followed_to_where_it_is(why, swept):
    (found,) = why("evaluate", swept, "--reg", "0.1", "--pair", "sw-sw", "--set", "training.warmup=0.5")
    assert differences(found) == {"training.warmup": ("0.1", "0.5")}  # through run, index and both its encoders: once
    assert [d["of"] for d in found["differences"]] == ["sw-reg0.1-seed13"]


def test_input_that_changed_is_named_by_its_content(why, own_lab, own_swept):
    with own_lab.bitext.open("a") as file:
        file.write("Amina sleeps\tAmina analala\n")
    (found,) = why("distill", own_swept, "--reg", "0.1", "--pair", "sw-sw", experiment=own_lab.experiment)
    (what,) = differences(found)
    assert what.startswith("bitext")
    assert all(text.startswith("content ") for text in differences(found)[what])


def test_an_input_that_is_gone_is_named_by_what_takes_its_place(why, optical, own_swept):
    for artifact in json.loads(optical("cache", "list", "--cache-dir", own_swept, "--json").out):
        if artifact["kind"] in ("encodings", "checkpoints"):
            optical("cache", "remove", artifact["path"], "--cache-dir", own_swept)
    (found,) = why("index", own_swept, "--reg", "0.1", "--pair", "sw-sw", "--set", "training.epochs=3")
    (there, wanted) = differences(found)["encoder"]
    assert there.startswith("content ")
    assert wanted == "sw-reg0.1-seed13"


def test_an_empty_cache_is_said_to_be_one(optical, lab, tmp_path):
    said = optical("why", "index", lab.experiment, "--pair", "sw-en", "--cache-dir", tmp_path / "none")
    assert (said.code, said.out.count("\n")) == (0, 1)
    assert "has no artifact of this stage" in said.out


def test_differences_are_a_table(optical, lab, swept):
    said = optical(
        "why", "distill", lab.experiment, "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", swept,
        "--set", "training.epochs=3",
    )  # fmt: skip
    assert "the most similar artifact, sw-reg0.1-seed13-" in said.out
    (row,) = [line.split() for line in said.out.splitlines() if "training.epochs" in line]
    assert row == ["sw-reg0.1-seed13", "training.epochs", "1", "3"]


def test_what_no_cell_has_is_refused_as_by_the_stage(optical, lab, swept):
    said = optical("why", "distill", lab.experiment, "--reg", "-1", "--cache-dir", swept)
    assert said.code == 2
    assert len(said.errors) == 1
