import json
import shutil

import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from optical_cli.config.student import Adapters
from optical_cli.encoder.adapters import add_adapters
from optical_cli.encoder.load import load_encoder, save_encoder, save_student
from optical_cli.errors import ConfigError, OpticalError
from optical_cli.export import write_folder as module
from optical_cli.export.write_folder import write_folder

TEXTS = ["Amina mends the boat .", "Juma buys maize", "the teacher sells a book ."]
LENGTHS = {"query_length": 5, "document_length": 6}


@pytest.fixture
def written(tmp_path):
    def write(checkpoint, *, force=False):
        target = tmp_path / "out"
        encoder = load_encoder(checkpoint, device="cpu", **LENGTHS).eval()
        reason = write_folder(encoder, target, lambda _encoder, _why: "a card\n", force=force)
        return target, reason

    return write


def embeddings(encoder):
    return [tokens for encode in (encoder.encode_query, encoder.encode_document) for tokens in encode(TEXTS)]


def assert_alike(folder, encoder):
    for ours, theirs in zip(
        embeddings(encoder), embeddings(MultiVectorEncoder(str(folder), device="cpu")), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_an_export_loads_without_optical_with_the_same_embeddings_and_lengths(written, lab):
    folder, reason = written(lab.teacher)
    assert reason is None
    assert_alike(folder, load_encoder(lab.teacher, device="cpu", **LENGTHS))
    assert (folder / "README.md").read_text() == "a card\n"
    assert [path.name for path in folder.parent.iterdir() if path.name != "lab"] == ["out"]


def test_the_format_of_pylate_has_two_layers_and_its_settings(written, lab):
    folder, _ = written(lab.teacher)
    kinds = [layer["type"] for layer in json.loads((folder / "modules.json").read_text())]
    assert kinds == ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    config = json.loads((folder / "config_sentence_transformers.json").read_text())
    assert (config["model_type"], config["query_length"], config["document_length"]) == ("ColBERT", 5, 6)
    assert (config["query_prefix"], config["skiplist_words"], config["do_query_expansion"]) == ("", ["."], False)
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"1_Dense"}


def change(encoder, what):
    if what == "prompt":
        encoder.prompts["query"] = "query: "
    elif what == "mask":
        next(module for module in encoder if isinstance(module, MultiVectorMask)).skiplist_tasks = ["query"]
    elif what == "expansion":
        encoder[0].query_expansion = {"strategy": "fixed", "attend": False, "length": 5}
    return encoder


@pytest.mark.parametrize(
    ("what", "expected"),
    [("prompt", "a prompt"), ("mask", "its scoring mask"), ("expansion", "expands its queries")],
)
def test_a_model_beyond_pylate_is_written_in_the_format_of_the_library(written, lab, tmp_path, what, expected):
    checkpoint = tmp_path / "lab"
    save_encoder(change(load_encoder(lab.teacher, device="cpu", **LENGTHS), what), checkpoint)
    folder, reason = written(checkpoint)
    assert expected in reason
    assert_alike(folder, load_encoder(checkpoint, device="cpu", **LENGTHS))


def test_an_encoder_without_a_projection_is_exported_too(written, lab):
    folder, reason = written(lab.student)
    assert "no projection" in reason
    assert_alike(folder, load_encoder(lab.student, device="cpu", **LENGTHS))


def test_adapters_are_merged(written, lab, tmp_path_factory):
    pytest.importorskip("peft")
    start = shutil.copytree(lab.teacher, tmp_path_factory.mktemp("cache") / "start")
    adapted = load_encoder(start, device="cpu", **LENGTHS).eval()
    plain = embeddings(adapted)
    add_adapters(adapted, Adapters(rank=2), seed=13)
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight.add_(0.05)
    wanted = embeddings(adapted)
    assert not torch.allclose(wanted[0], plain[0], atol=1e-3)
    save_student(adapted, start.parent / "checkpoint", start)
    folder, _ = written(start.parent / "checkpoint")
    assert not list(folder.glob("adapter*"))
    for ours, theirs in zip(wanted, embeddings(MultiVectorEncoder(str(folder), device="cpu")), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_an_export_that_gives_other_embeddings_is_not_written(written, lab, tmp_path, monkeypatch):
    def spoil(encoder, folder):
        save_encoder(encoder, folder)
        with torch.no_grad():
            encoder[1].linear.weight[0].zero_()

    monkeypatch.setattr(module, "save_encoder", spoil)
    with pytest.raises(OpticalError, match="other token embeddings"):
        written(lab.teacher)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_replaced_only_with_force(written, lab, tmp_path):
    folder, _ = written(lab.teacher)
    (folder / "note.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        written(lab.teacher)
    assert (folder / "note.txt").exists()
    written(lab.teacher, force=True)
    assert not (folder / "note.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
