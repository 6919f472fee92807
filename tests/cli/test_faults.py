"""Bad input: one clear line a fault, exit code 2, nothing on stdout, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def refused(optical, tmp_path, leftovers):
    """Run a command that has to be refused and give its lines."""

    def run(experiment, *options, command="evaluate"):
        cache = tmp_path / "cache"
        chosen = ("--reg", "0.1", "--pair", "sw-sw") if command != "sweep" else ()
        said = optical(command, experiment, "--cache-dir", cache, "--device", "cpu", *chosen, *options)
        assert said.code == 2, said
        assert said.out == ""
        assert "Traceback" not in said.err
        warnings = [line for line in said.err.splitlines() if line.startswith("warning: ")]
        assert len(said.errors) + len(warnings) == len(said.err.splitlines())
        assert leftovers(cache) == []
        return [line.removeprefix("error: ") for line in said.errors]

    return run


def one(lines: list[str]) -> str:
    assert len(lines) == 1, lines
    return lines[0]


def test_an_unknown_key(lab, own_lab, refused):
    path = own_lab.write(lab.settings(training={"epoch": 3}))
    assert one(refused(path)) == f"{path}: training.epoch: unknown key; did you mean epochs?"
    assert "did you mean epochs?" in one(refused(lab.experiment, "--set", "training.epoch=3"))


def test_a_wrong_type_and_several_faults_at_once(own_lab, refused):
    path = own_lab.write(own_lab.settings(training={"epochs": "many"}, retrieval={"depht": 3}, seeds=[-1]))
    assert [line.split(": ")[1] for line in refused(path)] == ["training.epochs", "retrieval.depht", "seeds.0"]


@pytest.mark.parametrize("command", ["evaluate", "sweep", "distill"])
def test_adapters_of_a_layer_that_the_student_has_not(own_lab, refused, command):
    path = own_lab.write(own_lab.settings(student={"adapters": {"targets": ["query", "q_proj"]}}))
    line = one(refused(path, command=command))
    assert line.startswith("student.adapters.targets: ")
    assert line.endswith(", or auto for all layers")
    assert " has no layer 'q_proj'; expected names or ends of names, such as " in line
    assert "dense, key, query, value" in line


def test_a_missing_experiment_file(tmp_path, refused):
    assert "absent.yaml: cannot read the experiment file" in one(refused(tmp_path / "absent.yaml"))


@pytest.mark.parametrize("command", ["evaluate", "sweep", "distill"])
def test_several_missing_files_are_listed_together(own_lab, refused, command):
    own_lab.bitext.unlink()
    (own_lab.data / "docs.sw.jsonl").unlink()
    lines = refused(own_lab.experiment, command=command)
    assert len(lines) == 2
    assert "bitext.tsv does not exist" in lines[0]
    assert "has no docs.sw.jsonl" in lines[1]


@pytest.mark.parametrize("command", ["evaluate", "sweep", "distill", "index"])
def test_a_bitext_line_without_its_translation(own_lab, refused, command):
    lines = own_lab.bitext.read_text().splitlines()
    lines[4] = "Amina mends"
    own_lab.bitext.write_text("\n".join(lines))
    fault = one(refused(own_lab.experiment, command=command))
    assert f"{own_lab.bitext}, line 5: expected 2 columns, sentence TAB translation, found 1 in 'Amina mends'" in fault


@pytest.mark.parametrize("command", ["evaluate", "sweep", "distill"])
def test_an_empty_document(own_lab, refused, command):
    path = own_lab.data / "docs.sw.jsonl"
    path.write_text(path.read_text() + '{"doc_id": "d7", "title": "", "text": " "}\n')
    assert f"{path}, line 7: expected a title or a text" in one(refused(own_lab.experiment, command=command))


def test_topics_that_nobody_judged_at_all(own_lab, refused):
    (own_lab.data / "qrels.trec").write_text("other 0 d1 1\n")
    assert all("none of the topics" in line for line in refused(own_lab.experiment))


def test_a_pair_without_bitext(own_lab, refused):
    path = own_lab.write(own_lab.settings(pairs={"yo-en": {"collection": "./data"}}))
    assert "add bitext.yo.source" in one(refused(path))


@pytest.mark.parametrize("part", ["teacher.model", "student.init"])
def test_a_model_folder_that_is_no_model(own_lab, refused, part):
    assert "data is not a model: expected config.json or modules.json" in one(
        refused(own_lab.experiment, "--set", f"{part}=./data")
    )


def test_a_model_whose_files_are_damaged(own_lab, refused):
    path = own_lab.teacher / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    assert "model.safetensors cannot be read as safetensors weights" in one(refused(own_lab.experiment))


def test_a_dataset_id_that_does_not_exist(own_lab, refused):
    path = own_lab.write(own_lab.settings(pairs={"sw-sw": {"collection": "miracl/swahili/dev"}}))
    assert "miracl/swahili/dev is neither an existing path nor a dataset of ir_datasets; the nearest ids are" in one(
        refused(path)
    )


@pytest.mark.parametrize("pair", ["sw-sw", "sw-en"])
@pytest.mark.parametrize("reg", ["-1", "nan", "0.0005", "-inf"])
@pytest.mark.parametrize("command", ["evaluate", "index"])
def test_a_reg_that_cannot_be_is_refused_also_where_it_is_not_used(lab, refused, command, reg, pair):
    assert one(refused(lab.experiment, "--reg", reg, "--pair", pair, command=command)).startswith(f"--reg {reg}: ")


@pytest.mark.parametrize("pair", ["sw-sw", "sw-en"])
def test_a_reg_beside_a_baseline_is_refused_also_where_the_teacher_encodes(lab, refused, pair):
    found = refused(lab.experiment, "--objective", "greedy", "--pair", pair, command="index")
    assert one(found) == "--reg 0.1: greedy has no regularization; leave out --reg"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pair", "yo-yo"], "--pair yo-yo: not in the experiment; it has sw-sw, sw-en, en-sw"),
        (
            ["--objective", "gready"],
            "--objective gready: one of bm25, translate, none, pooled_mse, greedy, transport, targets or bm25-ANALYZER "
            "expected",
        ),
        (["--objective", "greedy"], "--reg 0.1: greedy has no regularization; leave out --reg"),
        (["--objective", "bm25"], "--reg 0.1: bm25 has no regularization; leave out --reg"),
        (["--seed", "-1"], "--seed -1: a whole number from 0 to 4294967295 expected"),
        (["--device", "warp"], "--device warp: this machine has no such device; expected cpu, cuda, cuda:1 or auto"),
        (["--set", "nonsense"], "--set nonsense: expected key=value, such as training.epochs=2"),
    ],
)
def test_an_option_that_cannot_be(lab, refused, options, said):
    assert one(refused(lab.experiment, *options)) == said


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("evaluate", ["--pair", "sw-en"], "sw-en: BM25 matches words, but topics and documents are in different"),
        ("index", ["--pair", "sw-sw"], "bm25-folding: BM25 has no encoder, so there is nothing to distill or index"),
        ("distill", ["--pair", "sw-sw"], "bm25-folding: BM25 has no encoder, so there is nothing to distill or index"),
        (
            "export",
            ["--pair", "sw-sw", "-o", "out"],
            "bm25-folding: BM25 has no encoder, so there is nothing to distill",
        ),
        (
            "evaluate",
            ["--pair", "sw-sw", "--set", "bm25.analyzers=[lower, folding]"],
            "--objective bm25: the experiment has several analyzers; give one of bm25-lower, bm25-folding",
        ),
    ],
)
def test_what_bm25_cannot_do(optical, lab, tmp_path, leftovers, monkeypatch, command, options, said):
    monkeypatch.chdir(tmp_path)
    found = optical(command, lab.experiment, "--objective", "bm25", *options, "--cache-dir", tmp_path / "cache")
    assert (found.code, found.out) == (2, "")
    assert one(found.errors).startswith(f"error: {said}")
    assert leftovers(tmp_path) == []


def test_what_has_to_be_said_is_asked_for(optical, lab, swept):
    said = optical("evaluate", lab.experiment, "--cache-dir", swept)
    assert said.errors == ["error: --pair: the experiment has several pairs; give one of sw-sw, sw-en, en-sw"]
    said = optical("evaluate", lab.experiment, "--pair", "sw-sw", "--cache-dir", swept)
    assert said.errors == [
        "error: --reg: the experiment has several values; give one of 0, 0.1, inf; or name an --objective"
    ]


def test_a_cache_folder_that_is_none(optical, lab, tmp_path):
    (tmp_path / "file").touch()
    for command in ("evaluate", "sweep", "plan"):
        chosen = ("--reg", "0.1", "--pair", "sw-sw") if command == "evaluate" else ()
        said = optical(command, lab.experiment, "--cache-dir", tmp_path / "file", *chosen)
        assert (said.code, said.out, len(said.errors)) == (2, "", 1)
        assert "--cache-dir" in said.err


def test_an_error_cannot_steer_the_terminal(own_lab, refused):
    own_lab.bitext.write_text("a\tb\n\x1b[2Jsentence\n")
    assert "\x1b" not in one(refused(own_lab.experiment))


INSIDE_A_STAGE = [  # in the order in which `evaluate` comes to them
    ("start", "optical_cli.distill.start.save_encoder"),
    ("encodings", "optical_cli.distill.teacher_tokens.encode_stream"),
    ("distill", "optical_cli.distill.train.AlignmentLoss.forward"),
    ("index", "optical_cli.index.build.encode_stream"),
    ("retrieve", "optical_cli.retrieve.maxsim.MaxSim.best"),
    ("evaluate", "optical_cli.artifacts.scores.write_scores"),
]


def test_an_interrupt_in_any_stage_leaves_what_was_finished_and_nothing_half_done(
    optical, lab, tmp_path, leftovers, monkeypatch
):
    def interrupt(*_arguments, **_options):
        signal.raise_signal(signal.SIGTERM if stage in ("index", "evaluate") else signal.SIGINT)

    cache = tmp_path / "cache"
    command = ("evaluate", lab.experiment, "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", cache, "--device", "cpu")
    for finished, (stage, inside) in enumerate(INSIDE_A_STAGE):
        with monkeypatch.context() as patched:
            patched.setattr(inside, interrupt)
            said = optical(*command)
        assert said.code == 130, stage
        assert said.out == ""
        assert said.err.splitlines()[-1].startswith("interrupted; "), stage
        assert "Traceback" not in said.err
        assert len(leftovers(cache)) == finished, stage
        assert not [name for name in leftovers(cache) if ".partial" in name]
    assert optical(*command).code == 0


def test_a_real_interrupt_while_a_student_trains(spawn, own_lab, own_swept, leftovers):
    before = leftovers(own_swept)
    process = spawn(
        "distill", own_lab.experiment, "--reg", "0.1", "--set", "training.epochs=100000",
        "--cache-dir", own_swept, "--device", "cpu",
    )  # fmt: skip
    until = time.monotonic() + 120
    while not list(own_swept.glob("unfinished/checkpoints-*/training.jsonl")) and time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    time.sleep(1)  # into the steps
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted; ")
    assert leftovers(own_swept) == before


def test_bytes_that_are_no_text_on_the_command_line_are_a_line(lab, optical, swept):
    said = optical(
        "align",
        lab.experiment,
        "--cache-dir",
        swept,
        "--text",
        b"caf\xe9".decode("utf-8", "surrogateescape"),
        "--translation",
        "kahawa",
    )
    assert (said.code, said.errors) == (
        2,
        ["error: --text: text in UTF-8 expected, found other bytes; check the terminal's encoding"],
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("transport.reg=0,0.1", "write a list in brackets: [0,0.1]"),
        ("epochs=2", "epochs: unknown key; did you mean training.epochs?"),
        ("depth=20", "depth: unknown key; did you mean retrieval.depth?"),
    ],
)
def test_a_setting_in_a_wrong_form_says_the_form_that_works(lab, refused, override, said):
    assert one(refused(lab.experiment, "--set", override)).endswith(said)


def test_a_wrong_path_of_a_model_stands_beside_the_other_faults(lab, optical, tmp_path):
    options = ("--set", "teacher.model=models/mine", "--set", "bitext.sw.source=nope.tsv", "--cache-dir", tmp_path)
    lines = optical("plan", lab.experiment, *options).errors
    assert [line for line in lines if "nope.tsv" in line]
    assert [line for line in lines if "models/mine is neither a folder under" in line]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--targets", "1"], "--targets 1: a number above 1 expected"),
        (["--targets", "nan"], "--targets nan: a number above 1 expected"),
        (["--targets", "4", "--objective", "greedy"], "--targets 4: --objective greedy is given too; leave out one"),
        ([], "--targets: the experiment has several values; give one of 2, 4; or name an --objective"),
    ],
)
def test_effective_targets_that_no_cell_has(own_lab, optical, tmp_path, options, line):
    path = own_lab.write({**own_lab.settings(), "transport": {"targets": [2, 4]}})
    said = optical("evaluate", path, "--pair", "sw-sw", *options, "--cache-dir", tmp_path)
    assert said.code == 2
    assert line in one(said.errors)


def test_reg_and_effective_targets_are_not_compared_in_one_experiment(own_lab, refused):
    path = own_lab.write(own_lab.settings(transport={"targets": [2, 4]}))
    assert (
        one(refused(path)) == f"{path}: transport.reg: either reg or targets expected, found both; remove one of them"
    )
    path = own_lab.write({**own_lab.settings(), "transport": {"targets": [2, 4], "anneal": {}}})
    assert one(refused(path)).endswith(
        "transport.anneal: needs reg, as the reg of targets is not known before; remove one of the two"
    )


def test_a_reg_outside_the_grid_is_trained_and_said_to_be_in_no_report(lab, optical, own_swept):
    said = optical("distill", lab.experiment, "--reg", "0.3", "--pair", "sw-sw", "--cache-dir", own_swept)
    assert said.code == 0
    (line,) = [line for line in said.err.splitlines() if line.startswith("warning: --reg")]
    assert line.startswith("warning: --reg 0.3 is not among transport.reg (0, 0.1, inf)")
    assert line.endswith("--set transport.reg='[0, 0.1, inf, 0.3]'")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("lists=100000", "retrieval.approximate.lists: at most "),
        (
            "code_bytes=5",
            "retrieval.approximate.code_bytes: a divisor of the 16 dimensions of a token",
        ),
    ],
)
def test_a_structure_that_no_index_can_have_is_refused_before_anything_is_encoded(lab, refused, setting, said):
    options = ("--set", "retrieval.engine=approximate", "--set", f"retrieval.approximate.{setting}")
    assert one(refused(lab.experiment, *options)).startswith(said)


def test_a_tag_that_no_run_can_have_is_refused_before_any_run_is_read(optical, tmp_path):
    said = optical("fuse", tmp_path / "a.trec", tmp_path / "b.trec", "-o", tmp_path / "c.trec", "--tag", "my tag")
    assert one(said.errors).startswith("error: the run file: expected a run tag without white space, found 'my tag'")


def test_a_null_in_a_path_is_a_line(lab, optical, tmp_path):
    experiment = lab.settings(teacher={"model": "./tea\0cher"})
    path = tmp_path / "null.yaml"
    path.write_text(json.dumps(experiment), encoding="utf-8")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert said.code == 2
    assert any("has a null character" in line for line in said.errors)


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_an_encoding_that_lacks_the_characters_and_a_closed_stdout_do_no_harm(lab, swept, command):
    line = f"{sys.executable} -m optical_cli {command} {lab.experiment} --cache-dir {swept}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "ascii"}
    for redirected in ("", " >&-"):
        done = subprocess.run(line + redirected, shell=True, capture_output=True, env=environment, check=False)  # noqa: S602
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).isascii()
        assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_behind_standard_output_is_named(lab, swept, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    line = f"{sys.executable} -m optical_cli plan {lab.experiment} --cache-dir {swept} > /dev/full"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: standard output: No space left on device; repair this or write elsewhere")
    assert "Traceback" not in done.stderr


def test_an_empty_cache_variable_does_not_make_the_current_folder_the_cache(lab, optical, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTICAL_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert optical("plan", lab.experiment).code == 0
    assert list((tmp_path / "here").iterdir()) == []
    assert (tmp_path / "home" / "optical").is_dir()
