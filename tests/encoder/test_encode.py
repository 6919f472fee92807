import shutil

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.encoder.encode import encode_stream, encode_texts, pad, sides_differ
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError

LENGTHS = {"query_length": 16, "document_length": 24, "device": "cpu"}
TEXTS = ["Juma buys the net .", "maize", "Amina mends the boat . Amina sells a book ."]


@pytest.fixture
def teacher(lab):
    return load_encoder(lab.teacher, **LENGTHS)


def test_only_scored_tokens_are_kept_at_unit_length(teacher):
    as_query = encode_texts(teacher, TEXTS, "query", 2)
    as_document = encode_texts(teacher, TEXTS, "document", 2)
    assert [len(tokens) for tokens in as_query] == [7, 3, 12]
    assert [len(tokens) for tokens in as_document] == [6, 3, 10]  # without its full stops
    for tokens in as_query + as_document:
        torch.testing.assert_close(tokens.norm(dim=-1), torch.ones(len(tokens)))
        assert tokens.dtype == torch.float32


def test_a_stream_keeps_the_order_of_the_texts(teacher):
    texts = TEXTS * 12  # more than a chunk of one-text batches
    streamed = [tokens for chunk in encode_stream(teacher, iter(texts), "document", 1) for tokens in chunk]
    whole = encode_texts(teacher, texts, "document", 8)
    assert len(streamed) == len(texts)
    for one, other in zip(streamed, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_texts_are_cut_and_lengths_are_limited_by_the_encoder(lab):
    short = load_encoder(lab.teacher, query_length=4, document_length=10_000, device="cpu")
    assert len(encode_texts(short, [TEXTS[0]], "query", 1)[0]) == 4
    assert len(encode_texts(short, ["boat " * 500], "document", 1)[0]) == 32


def test_an_embedding_that_is_not_finite_is_refused(teacher):
    with torch.no_grad():
        teacher[1].linear.weight[0, 0] = torch.nan
    with pytest.raises(DataError, match="not finite for the text 'maize'"):
        encode_texts(teacher, ["maize"], "query", 1)


def test_a_plain_transformer_becomes_an_encoder_with_its_states_at_unit_length(lab):
    student = load_encoder(lab.student, **LENGTHS)
    assert not is_multi_vector(lab.student)
    assert is_multi_vector(lab.teacher)
    (tokens,) = encode_texts(student, ["Amina anauza"], "document", 1)
    assert tokens.shape[1] == 24
    again = load_encoder(lab.student, **LENGTHS)
    torch.testing.assert_close(encode_texts(again, ["Amina anauza"], "document", 1)[0], tokens)


def test_a_projection_replaces_another_and_is_saved(teacher, lab, tmp_path):
    weight = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    save_encoder(project(teacher, weight), tmp_path / "saved")
    plain = MultiVectorEncoder(str(tmp_path / "saved"), device="cpu")
    states = load_encoder(lab.teacher, **LENGTHS)[0]
    (tokens,) = plain.encode_query(["Juma buys maize"])
    features = states(plain.preprocess(["Juma buys maize"], task="query"))
    expected = torch.nn.functional.normalize(features["token_embeddings"][0] @ weight.T, dim=-1)
    torch.testing.assert_close(tokens.float().cpu(), expected.detach(), atol=1e-5, rtol=0)


def test_sides_differ_if_a_token_is_scored_on_one_of_them(lab, teacher):
    assert sides_differ(teacher)  # the probe has no full stop
    assert not sides_differ(load_encoder(lab.student, query_length=24, document_length=24, device="cpu"))


def test_padding_and_its_mask():
    padded, mask = pad([torch.ones(2, 3), torch.ones(4, 3)])
    assert padded.shape == (2, 4, 3)
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    assert padded[0, 2:].eq(0).all()


def test_embeddings_of_bfloat16_weights_are_close(lab, teacher):
    before = encode_texts(teacher, TEXTS, "document", 4)
    after = encode_texts(open_encoder(lab.teacher, EncoderSetup(16, 24, "bfloat16", 4, "cpu")), TEXTS, "document", 4)
    assert all(tokens.dtype == torch.float32 for tokens in after)
    assert min(float((a * b).sum(-1).min()) for a, b in zip(before, after, strict=True)) > 0.99


@pytest.mark.parametrize(
    "damage", ["config.json", "modules.json", "tokenizer.json", "model.safetensors", "1_Dense/config.json"]
)
def test_a_folder_with_damaged_files_is_refused_in_one_line(lab, tmp_path, damage):
    folder = shutil.copytree(lab.teacher, tmp_path / "broken")
    (folder / damage).write_text("{")
    with pytest.raises(DataError, match="cannot load the encoder") as caught:
        load_encoder(folder, **LENGTHS)
    assert "\n" not in str(caught.value)
