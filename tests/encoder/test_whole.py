"""Models that libraries would complete in silence are refused, and texts are cut where positions end."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaConfig, XLMRobertaModel

from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder, project, save_encoder
from optical_cli.errors import DataError

LENGTHS = {"query_length": 16, "document_length": 64, "device": "cpu"}


@pytest.fixture
def copied(lab, tmp_path):
    return shutil.copytree(lab.teacher, tmp_path / "copied")


def test_weights_of_other_names_are_refused_and_not_drawn_at_random(copied):
    path = copied / "model.safetensors"
    renamed = {f"my_encoder.{name}": tensor for name, tensor in load_file(path).items()}
    save_file(renamed, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"copied: its weights do not fit its config.json: \d+ tensors are missing \("):
        load_encoder(copied, **LENGTHS)


def test_a_missing_tensor_is_named(copied):
    path = copied / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("layer.0.output.dense.weight"))
    del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"1 tensors? .*encoder\.layer\.0\.output\.dense\.weight"):
        load_encoder(copied, **LENGTHS)


def test_a_pooler_may_be_missing(copied):
    path = copied / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if "pooler" not in k}, path, metadata={"format": "pt"})
    load_encoder(copied, **LENGTHS)


def test_a_tensor_of_another_shape_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "intermediate_size": config["intermediate_size"] + 1}))
    with pytest.raises(DataError, match="cannot load the encoder"):
        load_encoder(copied, **LENGTHS)


def test_a_tokenizer_without_words_is_refused(copied):
    (copied / "tokenizer.json").unlink()
    settings = json.loads((copied / "tokenizer_config.json").read_text())
    (copied / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": "BertTokenizer"}))
    with pytest.raises(DataError, match=r"its tokenizer has no vocabulary, only .* add the model's tokenizer\.json"):
        load_encoder(copied, **LENGTHS)


@pytest.mark.parametrize("positions", [34, 20])
def test_texts_are_cut_where_the_positions_of_an_encoder_end(copied, tmp_path, positions):
    """XLM-R counts from behind its padding token: two of its positions are no token's."""
    vocabulary = json.loads((copied / "config.json").read_text())["vocab_size"]
    config = XLMRobertaConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=positions, pad_token_id=1,
    )  # fmt: skip
    folder = tmp_path / "xlmr"
    XLMRobertaModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(copied / name, folder / name)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 512}))
    encoder = load_encoder(folder, **LENGTHS)
    (tokens,) = encode_texts(encoder, ["Amina mends the net " * 50], "document", 1)
    assert len(tokens) <= positions - 2
    assert encoder[0].document_length == positions - 2
    assert torch.isfinite(tokens).all()


def test_the_tokenizer_of_another_model_is_refused(copied):
    tokenizer = json.loads((copied / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"word{n}": len(vocabulary) + n for n in range(len(vocabulary))}
    (copied / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(DataError, match=r"its tokenizer has .* tokens, and its model embeddings of"):
        load_encoder(copied, **LENGTHS)


@pytest.mark.parametrize("lengths", [{"query_length": 2}, {"document_length": 1}])
def test_lengths_without_room_for_text_are_refused(lab, lengths):
    (name,) = lengths
    with pytest.raises(DataError, match=rf"{name} \d has no room for text: special tokens and prompt take 2 tokens"):
        load_encoder(lab.teacher, **LENGTHS | lengths)
    load_encoder(lab.teacher, **LENGTHS | {name: 3})


def test_a_prompt_that_takes_all_tokens_is_refused(copied):
    path = copied / "config_sentence_transformers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": {"query": "find this: " * 9}}))
    with pytest.raises(DataError, match="query_length 16 has no room for text"):
        load_encoder(copied, **LENGTHS)


def changed(folder, end, change):
    """Change the tensors of a model whose name has an end."""
    for path in folder.rglob("*.safetensors"):
        tensors = {name: change(t) if name.endswith(end) else t for name, t in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})


def test_weights_that_are_not_finite_are_refused_by_name(copied):
    changed(copied, "layer.0.output.dense.weight", lambda tensor: tensor * torch.nan)
    with pytest.raises(DataError, match=r"its weights in .*layer\.0\.output\.dense\.weight are not finite"):
        load_encoder(copied, **LENGTHS)


def test_a_projection_of_zeros_is_refused(copied):
    encoder = load_encoder(copied, **LENGTHS)
    save_encoder(project(encoder, torch.zeros(8, encoder[0].get_embedding_dimension())), copied.with_name("dead"))
    with pytest.raises(DataError, match=r"dead: its projection \(module \d\) is all zero"):
        load_encoder(copied.with_name("dead"), **LENGTHS)


def test_embeddings_of_zeros_are_no_embeddings(copied):
    changed(copied, "LayerNorm.weight", torch.zeros_like)
    changed(copied, "LayerNorm.bias", torch.zeros_like)
    with pytest.raises(DataError, match="all embeddings that the encoder returned for the text 'Amina' are zero"):
        encode_texts(load_encoder(copied, **LENGTHS), ["Amina"], "query", 1)
