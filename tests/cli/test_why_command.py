import json

import pytest


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
    assert "holds no artifact of this stage" in said.out


def test_differences_are_a_table(optical, lab, swept):
    said = optical(
        "why", "distill", lab.experiment, "--reg", "0.1", "--pair", "sw-sw", "--cache-dir", swept,
        "--set", "training.epochs=3",
    )  # fmt: skip
    assert "the nearest there is sw-reg0.1-seed13-" in said.out
    (row,) = [line.split() for line in said.out.splitlines() if "training.epochs" in line]
    assert row == ["sw-reg0.1-seed13", "training.epochs", "1", "3"]


def test_what_no_cell_has_is_refused_as_by_the_stage(optical, lab, swept):
    said = optical("why", "distill", lab.experiment, "--reg", "-1", "--cache-dir", swept)
    assert said.code == 2
    assert len(said.errors) == 1
