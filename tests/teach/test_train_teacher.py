import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.errors import ConfigError, DataError, NotConverged
from optical_cli.progress import Silence
from optical_cli.teach import Example, TeachSettings, teach

PEOPLE = ("Amina", "Juma", "the farmer")
DEEDS = {"mends": "anatengeneza", "buys": "ananunua", "sells": "anauza"}
THINGS = {"the boat": "mashua", "maize": "mahindi", "a book": "kitabu"}
SETTINGS = TeachSettings(
    dimensions=8, epochs=30, batch_size=9, learning_rate=1e-2, scale=10, query_length=12, document_length=16
)


@pytest.fixture(scope="module")
def examples():
    """Queries in words that no passage has; a negative is about another person and thing than the positive."""
    things = list(THINGS)
    return [
        Example(f"{DEEDS[deed]} {THINGS[thing]}", f"{person} {deed} {thing} .", (f"{nobody} {deed} {other} .",))
        for deed, person, nobody in zip(DEEDS, PEOPLE, PEOPLE[1:] + PEOPLE[:1], strict=True)
        for thing, other in zip(things, things[1:] + things[:1], strict=True)
    ]


@pytest.fixture(scope="module")
def backbone(lab, tmp_path_factory):
    """The plain BERT of the mini world without dropout, so that trainings can be compared."""
    folder = Path(shutil.copytree(lab.student, tmp_path_factory.mktemp("plain") / "bert"))
    config = json.loads((folder / "config.json").read_text())
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps({**config, **no_dropout}))
    return folder


@pytest.fixture(scope="module")
def taught(backbone, examples, tmp_path_factory):
    """Train a teacher on a backbone; returns its folder and the facts of the training."""

    def run(settings=SETTINGS, backbone=backbone, **more):
        target = tmp_path_factory.mktemp("taught") / "teacher"
        arguments = {"names": ("examples", "a BERT"), "progress": Silence(), **more}
        return target, teach(arguments.pop("examples", examples), backbone, target, settings, **arguments)

    return run


@pytest.fixture(scope="module")
def teacher(taught):
    return taught()


def weights(folder):
    return (folder / "model.safetensors").read_bytes(), (folder / "1_Dense" / "model.safetensors").read_bytes()


def test_a_trained_teacher_ranks_positives_higher_and_loads_without_optical(taught, teacher, examples):
    def cross_entropy(folder):
        """The cross-entropy of the positive of each query among all passages."""
        encoder = MultiVectorEncoder(str(folder), device="cpu")
        queries = encoder.encode_query([example.query for example in examples])
        passages = encoder.encode_document([example.positive for example in examples])
        scores = SETTINGS.scale * encoder.similarity(queries, passages)
        return float(torch.nn.functional.cross_entropy(scores, torch.arange(len(examples))))

    folder, facts = teacher
    untrained, _ = taught(replace(SETTINGS, learning_rate=1e-9, epochs=1))
    assert cross_entropy(folder) < cross_entropy(untrained) / 2
    assert facts.last_loss < facts.first_loss / 2
    assert (facts.examples, facts.negatives, facts.steps, facts.dimensions) == (9, 1, 30, 8)


def test_tokens_have_unit_length_and_the_dimensions_and_lengths_of_the_settings(teacher, examples):
    encoder = MultiVectorEncoder(str(teacher[0]), device="cpu")
    queries = encoder.encode_query([example.query for example in examples])
    passages = encoder.encode_document([example.positive * 5 for example in examples])
    assert {tokens.shape[1] for tokens in queries} == {8}
    assert torch.linalg.norm(passages[0], dim=1).tolist() == pytest.approx([1] * 16, abs=1e-5)
    assert (encoder[0].query_length, encoder[0].document_length) == (12, 16)


def test_only_safetensors_and_a_card_are_written(teacher):
    folder, _ = teacher
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt")]
    assert "| backbone | a BERT |" in (folder / "README.md").read_text()
    assert [path.name for path in folder.parent.iterdir()] == ["teacher"]


def test_a_teacher_is_determined_by_its_seed(taught, teacher):
    assert weights(taught()[0]) == weights(teacher[0])
    assert weights(taught(replace(SETTINGS, seed=14))[0]) != weights(teacher[0])


def test_a_batch_in_chunks_trains_like_a_whole_batch(taught):
    short = replace(SETTINGS, epochs=4, learning_rate=1e-3)
    whole, chunked = taught(short)[1], taught(replace(short, chunk=3))[1]
    assert chunked.first_loss == pytest.approx(whole.first_loss, rel=1e-5)
    assert chunked.last_loss == pytest.approx(whole.last_loss, rel=1e-3)
    assert whole.last_loss < whole.first_loss


def test_a_late_interaction_backbone_keeps_its_layers(taught, lab):
    folder, facts = taught(replace(SETTINGS, dimensions=None, epochs=1), lab.teacher)
    assert facts.dimensions == 16
    assert MultiVectorEncoder(str(folder), device="cpu")[3].skiplist_words == ["."]
    with pytest.raises(ConfigError, match=r"--dimensions 8: .* of 16 dimensions"):
        taught(SETTINGS, lab.teacher)


def test_a_training_that_diverges_leaves_nothing(backbone, examples, tmp_path):
    target = tmp_path / "teacher"
    with pytest.raises(NotConverged, match="lower --learning-rate"):
        teach(examples, backbone, target, replace(SETTINGS, learning_rate=1e30), names=("", ""), progress=Silence())
    assert list(tmp_path.iterdir()) == []


def test_every_example_is_seen_where_passages_repeat(taught, examples):
    """Twenty-four examples of four passages fill no batch of eight: it takes six batches of four to see all."""
    queries = [f"{word} {other}" for word in "abcdef" for other in "wxyz"]
    some = [Example(query, examples[number % 4].positive) for number, query in enumerate(queries)]
    _, said = taught(replace(SETTINGS, batch_size=8, epochs=1), examples=some)
    assert (said.examples, said.steps) == (24, 6)


def test_examples_of_one_passage_have_nothing_to_tell_apart(taught, examples):
    some = [Example(f"query {number}", examples[0].positive) for number in range(24)]
    with pytest.raises(DataError, match="24 examples with one passage and no negatives"):
        taught(examples=some)


def test_one_example_is_refused(taught, examples):
    with pytest.raises(DataError, match="at least 2 examples expected"):
        taught(examples=examples[:1])


def test_all_settings_out_of_range_are_named():
    with pytest.raises(ConfigError) as caught:
        TeachSettings(dimensions=0, epochs=-1, batch_size=1, warmup=1, learning_rate=float("nan"), seed=-1)
    options = [line.split()[0] for line in str(caught.value).splitlines()]
    assert options == ["--dimensions", "--epochs", "--learning-rate", "--warmup", "--seed", "--batch-size"]
