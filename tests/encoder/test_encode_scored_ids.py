import json

import pytest

from optical_cli.encoder.encode import encode_texts, scored_ids
from optical_cli.encoder.load import load_encoder

TEXTS = ["Juma buys the net .", "maize", ". . Amina mends the boat . Amina mends the boat ."] * 100


@pytest.fixture
def encoder(lab):
    return load_encoder(lab.teacher, query_length=8, document_length=10, device="cpu")


def test_ids_are_those_of_the_scored_tokens(encoder):
    names = [encoder.tokenizer.convert_ids_to_tokens(ids.tolist()) for ids in scored_ids(encoder, TEXTS[:2], "query")]
    assert names == [["[CLS]", "juma", "buys", "the", "net", ".", "[SEP]"], ["[CLS]", "maize", "[SEP]"]]
    names = [
        encoder.tokenizer.convert_ids_to_tokens(ids.tolist()) for ids in scored_ids(encoder, TEXTS[:1], "document")
    ]
    assert names == [["[CLS]", "juma", "buys", "the", "net", "[SEP]"]]  # documents skip full stops


@pytest.mark.parametrize("side", ["query", "document"])
def test_there_is_one_id_for_every_embedding(encoder, side):
    ids = scored_ids(encoder, TEXTS, side)
    assert [len(of_text) for of_text in ids] == [len(tokens) for tokens in encode_texts(encoder, TEXTS, side, 64)]


def test_a_text_is_cut_at_the_length_of_the_training(encoder):
    assert [len(ids) for ids in scored_ids(encoder, TEXTS[:3], "query", 5)] == [5, 3, 5]


def test_the_tokens_of_the_prompt_are_included(own_lab):
    config = own_lab.teacher / "config_sentence_transformers.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "prompts": {"query": "maize ", "document": "boat "}})
    )
    encoder = load_encoder(own_lab.teacher, query_length=8, document_length=8, device="cpu")
    for side in ("query", "document"):
        (ids,) = scored_ids(encoder, ["net"], side)
        assert len(ids) == len(encode_texts(encoder, ["net"], side, 1)[0])
        assert len(ids) == 4  # [CLS], prompt, net, [SEP]
