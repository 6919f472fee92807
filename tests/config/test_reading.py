import math
import re
from pathlib import Path

import pytest
import torch
import yaml

from optical_cli.config.reading import read_experiment
from optical_cli.config.settings import SMALLEST_REG
from optical_cli.config.transport import Transport
from optical_cli.errors import ConfigError
from optical_cli.transport import TransportProblem, solve
from optical_cli.transport.solvers import SOLVERS

LEAST = """
name: least
teacher: {model: ./teacher}
bitext: {sw: {source: bitext.tsv}}
pairs: {sw-sw: {collection: ./data}}
"""


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, *overrides: str):
        path = tmp_path / "x.yaml"
        path.write_text(text, encoding="utf-8")
        return read_experiment(path, overrides)

    return from_text


@pytest.fixture
def faults(read, tmp_path):
    def from_text(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, *overrides)
        return [line.removeprefix(f"{tmp_path / 'x.yaml'}: ") for line in str(caught.value).splitlines()]

    return from_text


def with_section(name: str, text: str) -> str:
    return f"{LEAST}\n{name}: {text}\n"


def test_a_minimal_file_has_the_documented_defaults(read, tmp_path):
    x = read(LEAST)
    assert x.transport.reg == (0, 0.002, 0.005, 0.01, 0.02, 0.05, float("inf"))
    assert (x.teacher.language, x.student.init, x.seeds) == ("en", "teacher", (13,))
    assert x.evaluation.measures == ("ndcg@10", "recall@100", "map", "mrr@10", "judged@10")
    assert x.base == tmp_path


def test_a_read_experiment_cannot_be_changed(read):
    with pytest.raises(ValueError, match="frozen"):
        read(LEAST).training.epochs = 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_section("trainig", "{}"), "trainig: unknown key; did you mean training?"),
        (with_section("training", "{epoch: 2}"), "training.epoch: unknown key; did you mean epochs?"),
        (
            with_section("student", "{warm_start: {sentence: 2}}"),
            "student.warm_start.sentence: unknown key; did you mean sentences?",
        ),
        (
            LEAST.replace("collection: ./data", "collection: ./data, corpse: full"),
            "pairs.sw-sw.corpse: unknown key; did you mean corpus?",
        ),
        (
            LEAST.replace("bitext.tsv", "bitext.tsv, max_pair: 3"),
            "bitext.sw.max_pair: unknown key; did you mean max_pairs?",
        ),
        (with_section("bm25", "{qqq: 1}"), "bm25.qqq: unknown key; known keys: analyzers, k1, b"),
        (with_section("base", "/x"), "base: unknown key"),
    ],
)
def test_an_unknown_key_names_the_nearest(faults, text, message):
    assert faults(text) == [message]


@pytest.mark.parametrize(
    ("section", "text", "key", "found"),
    [
        ("training", "{epochs: many}", "training.epochs", "'many'"),
        ("training", "{epochs: true}", "training.epochs", "True"),
        ("training", "{weight_decay: true}", "training.weight_decay", "True"),
        ("training", "{batch_size: 0}", "training.batch_size", "0"),
        ("training", "{batch_size: 2.5}", "training.batch_size", "2.5"),
        ("training", "{warmup: 1.5}", "training.warmup", "1.5"),
        ("training", "{learning_rate: .nan}", "training.learning_rate", "nan"),
        ("training", "{learning_rate: .inf}", "training.learning_rate", "inf"),
        ("transport", "{solver: simplex}", "transport.solver", "'simplex'"),
        ("transport", "{threshold: 2}", "transport.threshold", "2"),
        ("transport", "{reg: []}", "transport.reg", "[]"),
        ("seeds", "13", "seeds", "13"),
        ("seeds", "[-1]", "seeds.0", "-1"),
        ("seeds", "[4294967296]", "seeds.0", "4294967296"),
        ("baselines", "[noone]", "baselines.0", "'noone'"),
        ("retrieval", "{memory: 3 apples}", "retrieval.memory", "'3 apples'"),
        ("evaluation", "{measures: []}", "evaluation.measures", "[]"),
        ("student", "{freeze_embeddings: 1}", "student.freeze_embeddings", "1"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_was_found(faults, section, text, key, found):
    (line,) = faults(with_section(section, text))
    assert line.startswith(f"{key}: expected ")
    assert line.endswith(f", found {found}")
    assert "Value error" not in line


def test_an_unknown_corpus_mode_is_refused_with_the_known_ones(faults):
    (line,) = faults(LEAST, "pairs.sw-sw.corpus=half")
    assert line == "pairs.sw-sw.corpus: expected one of full, pooled, hard_negatives, candidates, found 'half'"


def test_a_wrong_measure_and_a_wrong_template_are_refused_with_a_hint(faults):
    assert "ndcg@10" in faults(with_section("evaluation", "{measures: [ncdg@10]}"))[0]
    text = LEAST.replace("collection: ./data", "collection: ./data, text: '{body}'")
    (line,) = faults(text)
    assert line.startswith("pairs.sw-sw.text: expected a template of {text}")


def test_all_faults_are_listed_including_those_between_sections(faults):
    text = """
        name: "../up"
        teacher: {modle: x}
        bitext: {sw: {source: bitext.tsv, held_out: -1}}
        training: {epochs: 0, precison: auto}
        pairs: {sw-sw: {collection: ./data}, yo-en: {collection: ./data}, swahili: {collection: x}}
    """
    found = faults(text)
    assert [line.split(": ")[0] for line in found] == [
        "name", "teacher.model", "teacher.modle", "bitext.sw.held_out", "training.epochs", "training.precison",
        "pairs.yo-en", "pairs.swahili",
    ]  # fmt: skip
    assert "yo is not the teacher's language (en) and has no bitext; add bitext.yo.source" in found[6]


@pytest.mark.parametrize("baseline", ["translate", "bm25"])
def test_a_wrong_pair_name_is_refused_with_any_baseline(faults, baseline):
    text = f"{LEAST.replace('sw-sw', 'swahili')}\nbaselines: [{baseline}]\nbm25: {{analyzers: [stemmed]}}\n"
    assert faults(text) == ["pairs.swahili: expected `query language-document language`, such as yo-en"]


def test_a_pair_without_bitext_is_refused_whichever_side_lacks_it(faults):
    assert len(faults(LEAST.replace("sw-sw", "yo-ha"))) == 2
    assert faults(LEAST.replace("bitext: {sw: {source: bitext.tsv}}", "")) == [
        "pairs.sw-sw: sw is not the teacher's language (en) and has no bitext; add bitext.sw.source"
    ]


def test_a_pair_of_the_teachers_language_needs_no_bitext(read):
    assert list(read(LEAST.replace("bitext: {sw: {source: bitext.tsv}}", "").replace("sw-sw", "en-en")).pairs) == [
        "en-en"
    ]


@pytest.mark.parametrize("reg", [-1, -0.1, 0.0005, 1e-9, float("nan"), float("-inf")])
def test_a_reg_that_no_solver_accepts_is_refused(faults, reg):
    text = with_section("transport", f"{{reg: [0.1, {yaml.safe_dump(reg).split()[0]}]}}")
    (line,) = faults(text)
    assert line.startswith(
        "transport.reg.1: expected 0 (exact), a number from 0.001 up, or inf (product of the marginals), found"
    )


@pytest.mark.parametrize(
    ("text", "regs"),
    [("0.001", (0.001,)), ("inf", (float("inf"),)), ("[.inf, 0, 1e-2]", (float("inf"), 0, 0.01)), ("-0.0", (0.0,))],
)
def test_reg_is_one_value_or_several(read, text, regs):
    found = read(with_section("transport", f"{{reg: {text}}}")).transport.reg
    assert found == regs
    assert str(found) == str(tuple(map(float, regs)))  # no -0.0


@pytest.mark.parametrize(
    ("text", "reference"), [("none", ("none",)), ("[none, inf]", ("none", float("inf"))), ("0.05", (0.05,))]
)
def test_a_reference_is_a_baseline_or_a_reg_or_several(read, text, reference):
    assert read(LEAST, f"evaluation.reference={text}").evaluation.reference == reference


@pytest.mark.parametrize("found", ["'noone'", "0.0001", "True"])
def test_a_reference_that_is_neither_is_refused_in_one_line(faults, found):
    (line,) = faults(LEAST, f"evaluation.reference=[none, {found}]")
    assert line == (
        "evaluation.reference.1: expected a baseline (bm25, translate, none, pooled_mse, greedy) or a reg, "
        f"found {found}"
    )


def test_a_reference_that_the_experiment_does_not_have_is_refused(faults):
    assert faults(LEAST, "evaluation.reference=[none, 0.3, greedy]") == [
        "evaluation.reference: 0.3 is neither in baselines nor in transport.reg; add it to one",
        "evaluation.reference: greedy is neither in baselines nor in transport.reg; add it to one",
    ]


def test_low_resource_languages_are_in_some_pairs_and_not_in_all(read, faults):
    text = LEAST.replace("pairs: {", "pairs: {en-en: {collection: ./data}, ")
    assert read(text).evaluation.low_resource == ()
    assert read(text, "evaluation.low_resource=sw").evaluation.low_resource == ("sw",)
    assert faults(text, "evaluation.low_resource=[sw, yo]") == [
        "evaluation.low_resource: no pair has the language yo; the pairs have en, sw"
    ]
    assert faults(LEAST, "evaluation.low_resource=[sw]") == [
        "evaluation.low_resource: every pair has one of these languages; remove some, or add other pairs"
    ]
    assert faults(text, "evaluation.low_resource=[sw, sw]") == [
        "evaluation.low_resource: duplicate value; list each value once"
    ]
    assert "evaluation.low_resource" in faults(text, "evaluation.low_resource=[[sw]]")[0]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("reg", [-0.1, 0, 0.0009, math.nextafter(0.001, 0), 0.001, 0.0099, 0.01, 1, math.inf, math.nan])
def test_configuration_and_solve_accept_the_same_regs(solver, reg):
    half = torch.tensor([[0.5, 0.5]])
    problem = TransportProblem(1 - torch.eye(2)[None], half, half)
    fault = Transport(solver=solver).fault_of(reg)
    if fault:
        with pytest.raises(ConfigError, match=f"^reg: {re.escape(fault)}$"):
            solve(problem, reg, solver)
    else:
        assert solve(problem, reg, solver).mass > 0


def test_the_smallest_reg_of_a_file_is_that_of_the_solvers(read, faults):
    assert read(with_section("transport", f"{{reg: {SMALLEST_REG}}}")).transport.smallest_reg == SMALLEST_REG
    assert faults(with_section("transport", f"{{reg: {SMALLEST_REG - 1e-6}}}"))


ALL = (0, 0.002, 0.005, 0.01, 0.02, 0.05, float("inf"))


@pytest.mark.parametrize(
    ("solver", "regs"),
    [
        ("sinkhorn", ALL),
        ("proximal", (0, *ALL[3:])),
        ("proximal, steps: 100", (0, float("inf"))),
        ("quadratic", ALL),
        ("unbalanced", ALL[1:]),
        ("exact", (0,)),
    ],
)
def test_the_default_regs_are_those_that_the_solver_accepts(read, solver, regs):
    assert read(with_section("transport", f"{{solver: {solver}}}")).transport.reg == regs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "{solver: exact, reg: [0, 0.1, inf]}",
            [
                f"transport.reg: 0 alone expected with the solver exact, found {found}; take another solver for other "
                "regs"
                for found in ("0.1", "inf")
            ],
        ),
        (
            "{solver: unbalanced, reg: [0, 0.1]}",
            ["transport.reg: at least 0.001 expected with the solver unbalanced, found 0"],
        ),
        (
            "{solver: proximal, reg: [0, 0.005, 0.01, inf]}",
            [
                "transport.reg: at least 0.01 expected with the solver proximal (reg / steps is at least 0.001, steps "
                "is 10), found 0.005; raise it or lower steps"
            ],
        ),
        (
            "{solver: proximal, reg: 0.1, steps: 200, anneal: {from: 0.1}}",
            [
                f"transport.{key}: at least 0.2 expected with the solver proximal (reg / steps is at least 0.001, "
                "steps is 200), found 0.1; raise it or lower steps"
                for key in ("reg", "anneal.from")
            ],
        ),
        (
            "{solver: exact, anneal: {}}",
            [
                "transport.anneal.from: 0 alone expected with the solver exact, found 1; take another solver for other "
                "regs"
            ],
        ),
        ("{anneal: {from: 0.0005}}", ["transport.anneal.from: expected at least 0.001, found 0.0005"]),
        ("{anneal: {from: inf}}", ["transport.anneal.from: expected a finite number, found 'inf'"]),
        ("{anneal: {share: 0}}", ["transport.anneal.share: expected more than 0, found 0"]),
        ("{anneal: {share: 1.5}}", ["transport.anneal.share: expected at most 1, found 1.5"]),
        ("{anneal: {form: 1}}", ["transport.anneal.form: unknown key; did you mean from?"]),
        ("{anneal: {start: 1}}", ["transport.anneal.start: unknown key; did you mean share?"]),
        ("{reg_marginal: 0}", ["transport.reg_marginal: expected more than 0, found 0"]),
        ("{steps: 0}", ["transport.steps: expected at least 1, found 0"]),
        ("{solver: proximal, steps: ten}", ["transport.steps: expected a whole number, found 'ten'"]),
        ("{marginals: tfidf}", ["transport.marginals: expected 'uniform' or 'idf', found 'tfidf'"]),
    ],
)
def test_conflicts_between_transport_settings_are_reported_with_their_keys(faults, text, found):
    assert faults(with_section("transport", text)) == found


def test_faults_between_transport_settings_are_listed_beside_those_of_other_sections(faults):
    text = with_section("transport", "{solver: exact, reg: 1}") + "training: {epochs: 0}\n"
    assert [line.split(":")[0] for line in faults(text)] == ["transport.reg", "training.epochs"]


def test_annealing_has_defaults_and_can_be_set(read):
    assert read(LEAST).transport.anneal is None
    anneal = read(LEAST, "transport.anneal={}").transport.anneal
    assert (anneal.start, anneal.share) == (1.0, 0.5)
    anneal = read(LEAST, "transport.anneal.from=0.3", "transport.anneal.share=1").transport.anneal
    assert (anneal.start, anneal.share) == (0.3, 1.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((), "sinkhorn, uniform marginals"),
        (("transport.solver=proximal", "transport.marginals=idf"), "proximal (10 steps), idf marginals"),
        (("transport.solver=unbalanced",), "unbalanced (reg_marginal 1), uniform marginals"),
        (("transport.anneal={}",), "sinkhorn, uniform marginals, reg falling from 1 over 50% of the steps"),
    ],
)
def test_the_transport_is_described_in_words(read, settings, words):
    assert read(LEAST, *settings).transport.in_words == words


COMMON = {"marginals": "uniform", "threshold": 1e-5, "max_iterations": 10_000, "on_unconverged": "fail"}
ANNEAL = {"from": 0.5, "share": 0.5}


@pytest.mark.parametrize(
    ("settings", "reg", "material"),
    [
        ({}, 0.1, COMMON | {"solver": "sinkhorn"}),
        ({}, 0.0, {"marginals": "uniform"}),
        ({"solver": "exact", "reg": 0}, 0.0, {"marginals": "uniform"}),  # the exact plan does not depend on the solver
        ({"solver": "quadratic", "marginals": "idf"}, float("inf"), {"marginals": "idf"}),
        ({"solver": "proximal", "steps": 5}, 0.1, COMMON | {"solver": "proximal", "steps": 5}),
        ({"solver": "unbalanced", "reg": 1}, 0.1, COMMON | {"solver": "unbalanced", "reg_marginal": 1.0}),
        ({"anneal": ANNEAL}, 0.5, COMMON | {"solver": "sinkhorn"}),
        ({"anneal": ANNEAL}, float("inf"), {"marginals": "uniform"}),
        ({"anneal": ANNEAL}, 0.1, COMMON | {"solver": "sinkhorn", "anneal": ANNEAL}),
        (
            {"anneal": ANNEAL},
            0.0,
            COMMON | {"solver": "sinkhorn", "anneal": ANNEAL},
        ),  # reg starts above 0
        (
            {"anneal": ANNEAL, "solver": "proximal"},
            0.0,
            COMMON | {"solver": "proximal", "steps": 10, "anneal": ANNEAL},
        ),
    ],
)
def test_a_key_has_the_settings_that_can_change_the_student_of_its_reg(settings, reg, material):
    assert Transport(**settings).key_material_of(reg) == {"reg": reg} | material


@pytest.mark.parametrize("section", ["transport: {reg: [1, 1.0]}", "seeds: [3, 3]", "baselines: [none, none]"])
def test_a_duplicate_value_in_a_list_is_refused(faults, section):
    (line,) = faults(f"{LEAST}\n{section}\n")
    assert "list each value once" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", ":1: invalid YAML"),
        ("name: [\r\n", ":2: invalid YAML"),
        ("a: 1\u2028b: {c}: 1\n", ":2: invalid YAML"),
        ("a: 1\nb: 2\na: 3\n", ":3: invalid YAML: duplicate key 'a'"),
        ("teacher: {model: x, model: y}", "duplicate key 'model'"),
        ("? [a, b]\n: 1\n", "expected a name as a key"),
        ("- 1\n", "expected a mapping of settings, found [1]"),
        ("", "expected a mapping of settings, found None"),
    ],
)
def test_a_file_that_is_not_a_yaml_mapping_is_refused_in_one_line(faults, text, message):
    (line,) = faults(text)
    assert message in line


def test_a_missing_file_a_folder_and_another_encoding_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot read the experiment file"):
        read_experiment(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_experiment(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: Málaga".encode("latin-1"))
    with pytest.raises(ConfigError, match="expected UTF-8, found byte 0xe1"):
        read_experiment(tmp_path / "latin.yaml")


def test_the_message_says_that_norwegian_must_be_quoted(faults, read):
    text = LEAST.replace("{sw: {source", "{no: {source").replace("sw-sw", "no-no")
    assert [line for line in faults(text) if line.startswith("bitext: ") and "quote `no`" in line]
    assert "no" in read(text.replace("{no: {source", "{'no': {source")).bitext
    (line,) = faults(LEAST.replace("{model: ./teacher}", "{model: ./teacher, language: no}"))
    assert line.startswith("teacher.language: ")
    assert "quote `no`" in line


def test_a_list_of_languages_that_yaml_reads_as_false_has_the_hint_too(faults):
    (line,) = faults(LEAST + "evaluation: {low_resource: no}\n")
    assert line.startswith("evaluation.low_resource: expected a list, found False; quote `no`, ")


@pytest.mark.parametrize(
    ("section", "written"),
    [
        ("seeds: [013]", "013"),
        ("training: {epochs: 1:20}", "1:20"),
        ("training: {epochs: 0x10}", "0x10"),
        ("training: {epochs: 0b11}", "0b11"),
        ("training: {learning_rate: 1:20.5}", "1:20.5"),
    ],
)
def test_a_number_is_as_it_is_written_or_refused(faults, section, written):
    """YAML 1.1 reads 013 as 11 and 1:20 as 80."""
    (line,) = faults(LEAST + section + "\n")
    assert line.endswith(f"YAML: expected a decimal number, found {written}; quote it if it is a name")


def test_a_number_of_set_is_as_it_is_written_or_refused(faults, read):
    (line,) = faults(LEAST, "retrieval.depth=0100")
    assert line.endswith("YAML: expected a decimal number, found 0100; quote it if it is a name")
    assert read(LEAST, "retrieval.depth=1_000").retrieval.depth == 1000


def test_set_overrides_the_file_and_creates_sections(read):
    x = read(
        LEAST,
        "training.epochs=2",
        "student.warm_start.ridge=0.5",
        "transport.reg=[0, inf]",
        "pairs.sw-sw.corpus=pooled",
    )
    assert (x.training.epochs, x.student.warm_start.ridge, x.transport.reg) == (2, 0.5, (0, float("inf")))
    assert x.pairs["sw-sw"].corpus == "pooled"
    assert read(LEAST, "student.warm_start=null").student.warm_start is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("training..epochs=3", "expected key=value"),
        ("training.epochs=[", "the value is not valid YAML"),
        ("name.first=x", "name is not a section"),
        ("training.epoch=3", "did you mean epochs?"),
        ("base=/x", "base: unknown key"),
    ],
)
def test_an_invalid_set_is_refused_in_one_line(faults, override, message):
    (line,) = faults(LEAST, override)
    assert message in line


def test_the_shipped_experiments_are_valid():
    root = Path(__file__).parents[2]
    files = [root / "optical_cli/data/tiny/experiment.yaml", *(root / "experiments").glob("*.yaml")]
    assert "tiny" in {read_experiment(path).name for path in files}


def test_messages_of_a_wrong_number_and_an_unknown_measure_are_plain(lab):
    with pytest.raises(ConfigError) as refused:
        read_experiment(lab.experiment, ["training.epochs=two", "evaluation.measures=[ndcg]"])
    lines = str(refused.value).splitlines()
    assert any(line.endswith("training.epochs: expected a number, found 'two'") for line in lines)
    assert any("evaluation.measures.0: unknown measure 'ndcg', did you mean 'ndcg@10'?" in line for line in lines)
    assert not any("found 'ndcg'" in line for line in lines)


STEMMED = f"{LEAST}\nbaselines: [bm25]\nbm25: {{analyzers: [folding, stemmed]}}\n"


def test_stemming_is_refused_for_a_language_without_a_stemmer(faults, read):
    (message,) = faults(STEMMED)
    assert message.startswith(
        "bm25.analyzers: Snowball has no stemmer for sw; remove `stemmed`, or the pairs with documents in sw"
    )
    assert message.endswith("ru, sr, st, sv, ta, tr, yi")
    candidates = "pairs.sw-sw={collection: ./data, corpus: candidates, candidates: bm25-stemmed}"
    assert len(faults(LEAST, candidates)) == 1
    assert read(STEMMED, "baselines=[none]").stemmed_pairs == []
    assert read(STEMMED.replace("sw", "hi")).stemmed_pairs == ["hi-hi"]


@pytest.mark.parametrize("text", ["{text}", "{title} {text}"])
def test_a_template_without_quotes_gets_the_hint_to_quote_it(faults, text):
    pairs = f"pairs:\n  sw-sw:\n    collection: ./data\n    text: {text}\n"
    (line,) = faults(LEAST.partition("pairs:")[0] + pairs)
    assert "quote a text that begins with a brace" in line


@pytest.mark.parametrize("written", ["1_0", "1_00_0", "1_0.5", "1__000", "'1_0'", "'٣'"])
def test_underscores_and_other_digits_make_no_other_number(faults, written):
    (line,) = faults(LEAST + f"training: {{learning_rate: {written}}}\n")
    assert "expected a" in line
    assert "number, found" in line


def test_settings_of_bm25_are_bounded(faults):
    assert faults(LEAST, "bm25.k1=1.0e+308") == ["bm25.k1: expected at most 1000, found 1e+308"]
