import json
import shlex

import pytest


@pytest.fixture
def evaluate(optical, lab):
    def run(cache, *options):
        return optical("evaluate", lab.experiment, "--cache-dir", cache, "--device", "cpu", *options)

    return run


def test_a_cached_command_prints_the_folder_alone_and_says_that_it_was_there(optical, lab, swept):
    for command in ("distill", "index", "retrieve", "evaluate"):
        said = optical(command, lab.experiment, "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", swept)
        assert said.code == 0
        assert said.out.startswith(str(swept))
        assert said.out.count("\n") == 1
        assert "in the cache" in said.err


def test_distill_without_a_pair_is_every_student_of_the_experiment_once(optical, lab, swept):
    said = optical("distill", lab.experiment, "--reg", "inf", "--cache-dir", swept)
    assert said.out.count("\n") == 1  # sw-sw, sw-en and en-sw share one


def test_json_of_the_four_commands_can_be_read(optical, lab, swept):
    for command, kind in [
        ("distill", "checkpoints"),
        ("index", "indexes"),
        ("retrieve", "runs"),
        ("evaluate", "scores"),
    ]:
        said = optical(command, lab.experiment, "--reg", "inf", "--pair", "sw-sw", "--cache-dir", swept, "--json")
        record = json.loads(said.out)
        assert (record["kind"], record["made"]) == (kind, False)
        assert record["path"].startswith(str(swept))
    assert set(record["means"]) == {"ndcg@10", "recall@100"}
    assert record["health"]["unjudged_topics"] == 1


def test_plan_sweep_and_cache_as_json_can_be_read(optical, lab, swept):
    planned = json.loads(optical("plan", lab.experiment, "--cache-dir", swept, "--json").out)
    assert all(step["cached"] for step in planned)
    held = json.loads(optical("cache", "list", "--cache-dir", swept, "--json").out)
    assert {step["path"] for step in planned} == {artifact["path"] for artifact in held}
    done = json.loads(optical("sweep", lab.experiment, "--cache-dir", swept, "--json").out)
    assert done["made"] == 0
    assert [r["reg"] for r in done["results"] if r["pair"] == "sw-sw"] == [None, 0.0, 0.1, "inf"]
    assert json.loads(optical("cache", "verify", "--cache-dir", swept, "--json").out) == {
        "verified": len(held),
        "damaged": {},
    }


def test_a_topic_without_judgements_is_counted_and_said(evaluate, optical, lab, swept):
    said = optical("sweep", lab.experiment, "--cache-dir", swept)
    assert said.code == 0
    assert said.err.count("(1 topic without judgements left out)") == 12
    assert "(1 topic without judgements left out)" in evaluate(swept, "--reg", "0.1", "--pair", "sw-sw").err


def test_a_second_sweep_says_that_nothing_was_computed(optical, lab, swept):
    said = optical("sweep", lab.experiment, "--cache-dir", swept)
    assert "every artifact was in the cache; nothing was computed" in said.err
    assert "sw-sw" in said.out


def test_a_sweep_ends_with_the_command_of_its_report(optical, lab, swept):
    override = "evaluation.measures=[ndcg@10, recall@100]"
    said = optical("sweep", lab.experiment, "--cache-dir", swept, "--set", override)
    after = said.err.splitlines()[-1].removeprefix("next: optical ")
    assert shlex.split(after) == ["report", str(lab.experiment), "--set", override, "--cache-dir", str(swept)]
    assert "next: " not in optical("sweep", lab.experiment, "--cache-dir", swept, "--json").err


def test_a_damaged_artifact_is_named_verified_and_removed(evaluate, optical, own_swept):
    found = json.loads(evaluate(own_swept, "--reg", "0.1", "--pair", "sw-sw", "--json").out)
    name = found["path"].rsplit("/", 1)[-1]
    scores = own_swept / "scores" / name / "scores.json"

    scores.write_bytes(scores.read_bytes().replace(b"0", b"1"))
    said = optical("cache", "verify", "--cache-dir", own_swept)
    assert said.code == 1
    assert str(scores) in said.out

    scores.write_bytes(scores.read_bytes()[:-1])
    said = evaluate(own_swept, "--reg", "0.1", "--pair", "sw-sw")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert f"optical cache remove {name}" in said.err

    assert optical("cache", "remove", name, "--cache-dir", own_swept).out == f"{scores.parent}\n"
    assert evaluate(own_swept, "--reg", "0.1", "--pair", "sw-sw").code == 0
    assert scores.exists()


def test_cache_remove_wants_a_name_that_means_one(optical, own_swept):
    said = optical("cache", "remove", "absent", "--cache-dir", own_swept)
    assert (said.code, len(said.errors)) == (2, 1)
    before = sorted(own_swept.rglob("manifest.json"))
    digits = "0123456789abcdef"
    several = next(d for d in digits if sum(p.parent.name.rsplit("-", 1)[-1].startswith(d) for p in before) > 1)
    assert optical("cache", "remove", several, "--cache-dir", own_swept).code == 2
    assert sorted(own_swept.rglob("manifest.json")) == before


def test_no_upstream_refuses_and_makes_nothing(optical, lab, tmp_path, leftovers):
    for command in ("index", "retrieve", "evaluate", "distill"):
        said = optical(
            command, lab.experiment, "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", tmp_path / "c", "--no-upstream"
        )
        assert (said.code, said.out, len(said.errors)) == (2, "", 1)
        assert "--no-upstream" in said.err
    assert leftovers(tmp_path / "c") == []


def test_the_cache_folder_comes_from_the_environment_too(optical, lab, swept, monkeypatch):
    monkeypatch.setenv("OPTICAL_CACHE", str(swept))
    assert optical("evaluate", lab.experiment, "--reg", "0.1", "--pair", "sw-sw").out.startswith(str(swept))


def test_a_judged_document_that_is_not_there_is_counted_and_said(own_lab, optical, tmp_path):
    pairs = {"en-en": {"collection": "./data", "corpus": "pooled", "pool_size": 1}}
    with (own_lab.data / "qrels.trec").open("a") as qrels:
        qrels.write("q1 0 elsewhere 1\n")
    experiment = own_lab.write(own_lab.settings(pairs=pairs, bitext={}))
    said = optical("index", str(experiment), "--cache-dir", str(tmp_path / "cache"))
    assert said.code == 0
    assert "en-en: 1 judged documents are not in" in said.err


def test_prune_keeps_what_the_experiments_need(optical, own_lab, own_swept):
    def held():
        return {a["path"] for a in json.loads(optical("cache", "list", "--cache-dir", own_swept, "--json").out)}

    everything = held()
    smaller = own_lab.write(own_lab.settings(transport={"reg": [0.1]}))
    tried = optical("cache", "prune", smaller, "--cache-dir", own_swept, "--dry-run")
    assert held() == everything
    assert "would be removed" in tried.err
    pruned = optical("cache", "prune", smaller, "--cache-dir", own_swept)
    assert pruned.out == tried.out
    assert set(pruned.out.splitlines()) == everything - held()
    planned = json.loads(optical("plan", smaller, "--cache-dir", own_swept, "--json").out)
    assert {step["path"] for step in planned} == held()
    again = optical("sweep", smaller, "--cache-dir", own_swept)
    assert "every artifact was in the cache" in again.err


def test_prune_removes_nothing_for_an_experiment_that_cannot_be_read(optical, own_lab, own_swept):
    before = sorted(own_swept.rglob("manifest.json"))
    said = optical("cache", "prune", own_lab.experiment, own_lab.root / "no.yaml", "--cache-dir", own_swept)
    assert said.code == 2
    assert sorted(own_swept.rglob("manifest.json")) == before


def test_the_printed_commands_are_the_cells_of_the_sweep(optical, lab, swept):
    same = "evaluation.measures=[ndcg@10, recall@100]"
    printed = optical("sweep", lab.experiment, "--cache-dir", swept, "--set", same, "--print-commands")
    commands = [shlex.split(line) for line in printed.out.splitlines()]
    swept_cells = json.loads(optical("sweep", lab.experiment, "--cache-dir", swept, "--json").out)["results"]
    assert len(commands) == len(swept_cells) == 12
    assert len({tuple(command) for command in commands}) == 12
    for command, cell in zip(commands, swept_cells, strict=True):
        assert command[:2] == ["optical", "evaluate"]
        record = json.loads(optical(*command[1:], "--json").out)
        assert (record["made"], record["means"]) == (False, cell["means"])


def test_a_small_reg_is_printed_with_all_its_digits(optical, lab, tmp_path):
    said = optical(
        "sweep", lab.experiment, "--cache-dir", tmp_path, "--set", "transport.reg=[0.0012345678]", "--print-commands"
    )
    assert "--reg 0.0012345678 " in said.out


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["distill", "tiny", "--reg", "1_0"], "--reg 1_0"),
        (["align", "tiny", "--reg", "0.1", "--reg", "1_0"], "--reg 1_0"),
        (["evaluate", "tiny", "--reg", "0.1", "--seed", "1_3"], "--seed 1_3"),
    ],
)
def test_a_number_of_an_option_is_as_it_is_written_or_refused(optical, words, fault):
    said = optical(*words)
    assert (said.code, said.out, said.err) == (2, "", f"error: {fault}: a decimal number expected\n")
