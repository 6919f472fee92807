import json

import pytest

REGS = ("--reg", "0", "--reg", "0.1", "--reg", "inf")


@pytest.fixture
def align(optical, lab, swept, tmp_path):
    def run(*options, cache=swept, experiment=lab.experiment):
        return optical(
            "align", experiment, "--cache-dir", cache, "--device", "cpu", "-o", tmp_path / "pictures", *options
        )

    return run


@pytest.fixture
def aligned(align):
    def run(*options):
        said = align(*options, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    return run


def test_each_token_has_its_receivers_under_every_reg_and_each_plan_its_health(align):
    said = align(*REGS, "--text", "Amina buys maize", "--translation", "Amina ananunua mahindi")
    assert said.code == 0, said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert ["tokens", "[CLS]", "amina", "ananunua", "mahindi", "[SEP]"] in lines
    assert ["en", "reg", "0", "reg", "0.1", "reg", "inf"] in lines
    rows = {line[0]: line for line in lines if line}
    assert rows["maize"][-3:] == ["5", "about", "alike"]  # reg inf
    assert rows["plan"].count("converged") + rows["plan"].count("converged,") == 3
    assert "checkpoints/sw-reg0.1-seed13: in the cache" in said.err
    assert said.out.splitlines()[-1].endswith("pictures/sw-amina-buys-maize.png")


def test_pictures_are_named_for_their_sentences_and_their_paths_printed(align, tmp_path):
    said = align("--reg", "0.1", "--rows", "2,4-5")
    pictures = sorted(tmp_path.glob("pictures/*"))
    assert [path.name for path in pictures if path.suffix == ".svg"] == [f"sw-held-out-{row}.svg" for row in (2, 4, 5)]
    assert {str(path) for path in pictures} == set(said.out.splitlines()[-6:])
    assert said.err.splitlines() == ["checkpoints/sw-reg0.1-seed13: in the cache"]


def test_json_has_plans_that_move_all_mass(aligned):
    found = aligned(*REGS, "--count", "2", "--pair", "en-sw")
    assert (found["pair"], found["language"], found["side"]) == ("en-sw", "sw", "document")
    assert [sentence["name"] for sentence in found["sentences"]] == ["held-out 1", "held-out 2"]
    for sentence in found["sentences"]:
        assert [alignment["reg"] for alignment in sentence["alignments"]] == [0.0, 0.1, "inf"]
        n, m = len(sentence["teacher_tokens"]), len(sentence["student_tokens"])
        for alignment in sentence["alignments"]:
            assert [sum(row) for row in alignment["plan"]] == pytest.approx([1 / n] * n, abs=1e-3)
            assert len(alignment["plan"][0]) == m
            assert alignment["converged"]
    assert len(found["files"]) == 4


def test_untrained_is_one_student_under_plans_that_cost_more_as_reg_grows(align):
    said = align("--untrained", "--count", "1", "--json")  # every reg of the experiment
    found = json.loads(said.out)
    costs = [alignment["cost"] for alignment in found["sentences"][0]["alignments"]]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    assert said.err.splitlines() == ["checkpoints/teacher-start: in the cache"]
    assert found["files"][-1].endswith("pictures/sw-held-out-1-untrained.png")


def test_rare_tokens_send_more_with_idf_marginals_and_the_table_says_how_much(align, aligned):
    own = ("--reg", "inf", "--untrained", "--text", "the farmer sells the net", "--translation", "mkulima anauza wavu")
    (even,) = aligned(*own)["sentences"]
    (rare,) = aligned(*own, "--set", "transport.marginals=idf")["sentences"]
    assert even["teacher_mass"] == pytest.approx([1 / 7] * 7)
    mass = dict(zip(rare["teacher_tokens"], rare["teacher_mass"], strict=True))
    assert mass["net"] > mass["the"] > 0
    assert [sum(row) for row in rare["alignments"][0]["plan"]] == pytest.approx(rare["teacher_mass"], abs=1e-6)
    lines = [line.split() for line in align(*own, "--set", "transport.marginals=idf").out.splitlines()]
    assert ["en", "mass", "%", "reg", "inf"] in lines
    assert f"{100 * mass['net']:.1f}" in next(line for line in lines if line[:1] == ["net"])


def test_a_missing_student_is_made_or_refused_with_no_upstream(align, tmp_path, leftovers):
    cache = tmp_path / "cache"
    said = align("--reg", "0.1", "--no-upstream", cache=cache)
    assert (said.code, said.out) == (2, "")
    assert said.errors == [
        "error: checkpoints/sw-reg0.1-seed13: not in the cache; make it first, or leave out --no-upstream"
    ]
    assert leftovers(cache) == []
    said = align("--reg", "0.1", "--count", "1", cache=cache)
    assert said.code == 0
    assert "checkpoints/sw-reg0.1-seed13: made in" in said.err


def test_text_cannot_steer_the_terminal_nor_be_read_as_markup(align):
    own = ("--text", "the [bold]boat[/bold] \x1b[2J", "--translation", "mashua\n\x1b[2J :boat:")
    said = align("--reg", "inf", "--untrained", *own)
    assert said.code == 0, said.err
    assert "\x1b" not in said.out
    assert "the [bold]boat[/bold] \\x1b[2J" in said.out
    assert "mashua\\n\\x1b[2J :boat:" in said.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--text", "the boat"], "--text: needs --translation, "),
        (["--translation", "mashua"], "--translation: needs --text, "),
        (["--text", " ", "--translation", "mashua"], "--text: a sentence expected, found none"),
        (["--text", "the boat", "--translation", ""], "--translation: a sentence expected, found none"),
        (["--text", "a", "--translation", "b", "--rows", "1"], "--text: cannot be combined with --rows or --count"),
        (["--rows", "1", "--count", "1"], "--rows and --count: give one of them"),
        (["--rows", "7"], "--rows 7: the bitext of sw has only 6 held-out pairs"),
        (["--count", "7"], "--count 7: the bitext of sw has only 6 held-out pairs"),
        (["--rows", "0"], "--rows 0: numbers from 1 and ranges expected"),
        (["--rows", "5-2"], "--rows 5-2: numbers from 1 and ranges expected"),
        (["--rows", "first"], "--rows first: numbers from 1 and ranges expected"),
        (["--reg", "0.0001"], "--reg 0.0001: 0 (exact), a number from 0.001 up"),
        (["--reg", "nan"], "--reg nan: 0 (exact), a number from 0.001 up"),
        (["--reg", "0.1", "--set", "transport.solver=exact", "--set", "transport.reg=0"], "--reg 0.1: 0 alone"),
        (["--pair", "yo-yo"], "--pair yo-yo: not in the experiment; it has sw-sw, sw-en, en-sw"),
        (["--seed", "-1"], "--seed -1: a whole number from 0"),
        (["--device", "warp"], "--device warp: this machine has no such device"),
        (
            ["-o", "/dev/null/pictures"],
            "--output /dev/null/pictures: a writable folder expected, but /dev/null is a file",
        ),
    ],
)
def test_what_cannot_be_is_told_in_a_line(align, tmp_path, leftovers, options, said):
    cache = tmp_path / "cache"
    found = align(*options, cache=cache)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1), found
    assert found.err.startswith(f"error: {said}")
    assert leftovers(cache) == []
    assert not (tmp_path / "pictures").exists()
