"""What the files of a model say without loading it."""

import pytest
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling, MultiVectorMask

from optical_cli.encoder.encode import sides_differ
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import dimensions_of, hidden_size_of, layers_of, may_tell_sides_apart


def plain(encoder):
    """Change nothing."""


def prompts(encoder):
    encoder.prompts = {"query": "", "document": "passage: "}


def expansion(encoder):
    encoder[0].query_expansion = {"strategy": "fixed", "attend": True, "length": 16}


def skipped_words(encoder):
    encoder[1].skiplist_words = ["mashua"]
    encoder[1].resolve_with_tokenizer(encoder.tokenizer)


def pooling(encoder):
    encoder.append(HierarchicalTokenPooling(2))


@pytest.mark.parametrize("change", [plain, prompts, expansion, skipped_words, pooling])
def test_the_files_of_a_model_tell_whether_it_treats_queries_and_documents_alike(lab, tmp_path, change):
    unit_length = Normalize(module_input_name="token_embeddings")
    modules = [Transformer(str(lab.student)), MultiVectorMask(), unit_length]
    encoder = MultiVectorEncoder(modules=modules, device="cpu")
    change(encoder)
    encoder.save(str(tmp_path / "model"), create_model_card=False)
    loaded = load_encoder(tmp_path / "model", query_length=16, document_length=16, device="cpu")
    assert may_tell_sides_apart(tmp_path / "model") == sides_differ(loaded) == (change is not plain)


def test_a_checkpoint_of_pylate_or_of_stanford_tells_sides_apart(lab, tmp_path):
    for name, text in (
        ("config_sentence_transformers.json", '{"model_type": "ColBERT"}'),
        ("config.json", '{"architectures": ["HF_ColBERT"]}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(text, encoding="utf-8")
        assert may_tell_sides_apart(tmp_path / name)
    assert not may_tell_sides_apart(lab.student)  # a transformer without any of it
    assert may_tell_sides_apart(lab.teacher)  # its documents have no full stops


def test_sizes_are_those_of_the_configuration(lab):
    assert (hidden_size_of(lab.teacher), dimensions_of(lab.teacher), layers_of(lab.teacher)) == (32, 16, 1)
    assert (hidden_size_of(lab.student), dimensions_of(lab.student), layers_of(lab.student)) == (24, 24, 1)
    assert layers_of(lab.data) is None
