import re
from dataclasses import replace

import pytest
import yaml

from optical_cli.config.corpus import CORPUS_MODES
from optical_cli.export.card import HERE, Facts, License, Measured, TrainedOn, write_card

FACTS = Facts(
    name="mini-no-reg0.1-seed13",
    loaded_as=HERE,
    languages=("no", "zh_Hant"),
    teacher="org/teacher",
    student="org/student",
    base_model="org/student",
    teacher_language="en",
    objective="transport",
    reg="0.1",
    transport={"reg": 0.1, "solver": "sinkhorn", "marginals": "uniform"},
    training={"epochs": 1, "early_stopping": None},
    encoding={"query_length": 64},
    seed=13,
    bitexts=[TrainedOn("no", "en|no.tsv", 4800, 500, "ab" * 32)],
    health={"plans": 4800, "unconverged": 0, "held_out_end": {"p@1": 0.75}, "sides": ["query"]},
    doubtful=False,
    scores=[
        Measured("no-no", "miracl/no", "pooled 5000", CORPUS_MODES["pooled"], 119, {"ndcg@10": 0.5}, 100),
        Measured("no-en", "miracl/en", "full", CORPUS_MODES["full"], 80, {"ndcg@10": 0.25}, 100),
    ],
    key="cd" * 32,
    versions={"torch": "2.13.0", "pot": None},
    license=License(),
)


def header(card):
    return yaml.safe_load(card.split("---\n")[1])


def rows(card):
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in card.splitlines() if line[:1] == "|"]


def test_the_header_is_yaml_of_the_known_facts_only():
    found = header(write_card(FACTS, 128, None))
    assert found["language"] == ["no", "zh-Hant"]  # a string, which plain YAML would read as false
    assert found["base_model"] == "org/student"
    assert (found["library_name"], found["pipeline_tag"]) == ("sentence-transformers", "feature-extraction")
    assert {"multi-vector", "late-interaction"} <= set(found["tags"])
    assert not [field for field in found if field.startswith("license")]
    assert "base_model" not in header(write_card(replace(FACTS, base_model=None), 128, None))


def test_the_header_has_the_stated_licence():
    other = License("other", "menyo20k terms", "https://example.org/terms")
    found = header(write_card(replace(FACTS, license=other), 128, None))
    assert found["license"] == "other"
    assert found["license_name"] == "menyo20k terms"
    assert found["license_link"] == "https://example.org/terms"


def test_the_card_has_bitext_settings_health_and_held_out_figures():
    found = rows(write_card(FACTS, 128, None))
    assert ["no", r"en\|no.tsv", "4,800", "500", f"`{'ab' * 32}`"] in found
    assert ["reg", "0.1"] in found
    assert ["transport.solver", "sinkhorn"] in found
    assert ["transport plans", "4800"] in found
    assert ["held-out bitext at the end: P@1 of finding a translation by MaxSim", "0.75"] in found


def test_a_pooled_figure_is_marked_and_explained():
    card = write_card(FACTS, 128, None)
    assert ["no-no", "miracl/no", "**pooled 5000**", "119", "ndcg@10", "0.5000"] in rows(card)
    assert ["no-en", "miracl/en", "full", "80", "ndcg@10", "0.2500"] in rows(card)
    assert "its figures are higher than, and do not compare with, those of a full corpus" in card
    assert "pooled" not in write_card(replace(FACTS, scores=FACTS.scores[1:]), 128, None)


def test_a_doubtful_training_has_a_warning_before_its_figures():
    warning = "Do not trust the figures of this model"
    assert warning in write_card(replace(FACTS, doubtful=True), 128, None)
    assert warning not in write_card(FACTS, 128, None)


@pytest.mark.parametrize("reason", [None, "it expands its queries"])
def test_the_card_tells_whether_pylate_loads_the_model(reason):
    card = write_card(FACTS, 128, reason)
    assert ("PyLate loads it too" in card) == (reason is None)
    assert ("PyLate cannot load it: it expands its queries." in card) == (reason is not None)


def test_texts_from_data_are_escaped():
    hostile = "a|b\n# <img src=x> `c` *d* _e_ [f](g) &amp; snake_case"
    shown = r"a\|b \# \<img src=x\> \`c\` \*d\* \_e\_ \[f\](g) \&amp; snake_case"
    named = replace(FACTS, name=hostile, teacher=hostile, loaded_as=hostile, versions={hostile: hostile})
    bitext = replace(FACTS.bitexts[0], name=hostile)
    scores = [replace(FACTS.scores[0], pair=hostile, collection=hostile, corpus=hostile)]
    card = write_card(replace(named, bitexts=[bitext], scores=scores, transport={hostile: [hostile]}), 128, hostile)
    text = card.split("---\n", 2)[2]
    assert hostile not in text
    assert f"\n# {shown}\n" in text
    assert f"| {shown} | {shown} | **{shown}** |" in text
    assert f"| transport.{shown} | {shown} |" in text
    code = text.split("```")[1]
    assert code.count("\n") == 7  # a string literal, on one line
    assert not re.search(r"(?<!\\)<img", text)
