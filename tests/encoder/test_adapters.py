import json
import shutil
import sys

import pytest
import torch

from optical_cli.config.student import Adapters
from optical_cli.encoder.adapters import START_FILE, add_adapters, has_adapters, is_adapted
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import is_multi_vector, load_encoder, save_student
from optical_cli.errors import CacheError, ConfigError, DataError, MissingDependency

pytest.importorskip("peft")

LENGTHS = {"query_length": 16, "document_length": 24, "device": "cpu"}
TEXTS = ["Juma buys the net .", "maize"]


@pytest.fixture
def start(lab, tmp_path):
    """The artifact that a student starts from."""
    return shutil.copytree(lab.teacher, tmp_path / "start-0123456789ab")


@pytest.fixture
def trained(start):
    """A student whose adapters and projection were trained."""
    encoder = load_encoder(start, **LENGTHS).eval()
    add_adapters(encoder, Adapters(rank=2), seed=13)
    with torch.no_grad():
        for weight in encoder.parameters():
            if weight.requires_grad:
                weight.add_(torch.full_like(weight, 0.05))
    return encoder


@pytest.fixture
def checkpoint(trained, start):
    folder = start.parent / "sw-reg0.1"
    save_student(trained, folder, start)
    return folder


def embeddings(encoder):
    return torch.cat(encode_texts(encoder, TEXTS, "query", 2))


def test_new_adapters_change_nothing(start):
    encoder = load_encoder(start, **LENGTHS).eval()
    before = embeddings(encoder)
    add_adapters(encoder, Adapters(rank=2), seed=13)
    assert has_adapters(encoder)
    assert torch.allclose(embeddings(encoder), before, atol=1e-6)


def test_only_adapters_and_projection_are_trained(start):
    encoder = load_encoder(start, **LENGTHS)
    add_adapters(encoder, Adapters(rank=2, targets="query"), seed=13)
    learning = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert "1.linear.weight" in learning
    assert all("lora" in name for name in learning - {"1.linear.weight"})
    assert len(learning) == 3
    assert all(".query." in name for name in learning - {"1.linear.weight"})


def test_the_seed_draws_the_adapters_and_no_other_random_numbers(start):
    def drawn(seed):
        encoder = load_encoder(start, **LENGTHS)
        torch.manual_seed(5)
        add_adapters(encoder, Adapters(rank=2), seed)
        return {name: weight for name, weight in encoder.named_parameters() if "lora_A" in name}, torch.rand(1)

    (first, after), (again, after_again), (other, _) = drawn(1), drawn(1), drawn(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(after, after_again)


def test_a_checkpoint_of_adapters_loads_as_the_student(trained, checkpoint, start):
    loaded = load_encoder(checkpoint, **LENGTHS).eval()
    assert not has_adapters(loaded)  # they are merged into the weights
    assert torch.allclose(embeddings(loaded), embeddings(trained), atol=1e-5)
    assert not torch.allclose(embeddings(loaded), embeddings(load_encoder(start, **LENGTHS).eval()), atol=1e-2)
    assert is_multi_vector(checkpoint)


def test_a_checkpoint_of_adapters_is_small_and_names_no_path(checkpoint, start):
    weights = sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))
    assert weights < (start / "model.safetensors").stat().st_size / 4
    assert not any(str(start.parent).encode() in path.read_bytes() for path in checkpoint.iterdir())
    assert json.loads((checkpoint / START_FILE).read_text()) == {"start": start.name}


def test_a_missing_start_is_named(checkpoint, start):
    shutil.rmtree(start)
    with pytest.raises(CacheError, match=f"{checkpoint.name} has adapters only, .*, {start.name}, are not in"):
        load_encoder(checkpoint, **LENGTHS)


@pytest.mark.parametrize("name", ["../start-0123456789ab", "/etc", "..", "", 5])
def test_a_start_in_another_folder_is_refused(checkpoint, name):
    (checkpoint / START_FILE).write_text(json.dumps({"start": name}))
    with pytest.raises(DataError, match=r"expected the name of a folder beside .*, found"):
        load_encoder(checkpoint, **LENGTHS)


def test_adapters_on_adapters_are_refused(checkpoint):
    (checkpoint / START_FILE).write_text(json.dumps({"start": checkpoint.name}))
    with pytest.raises(DataError, match="which has adapters itself"):
        load_encoder(checkpoint, **LENGTHS)


def test_adapters_without_their_weights_are_refused(checkpoint):
    (checkpoint / "adapter_model.safetensors").unlink()
    assert is_adapted(checkpoint)
    with pytest.raises(DataError, match=r"adapter_model.safetensors is missing"):
        load_encoder(checkpoint, **LENGTHS)


def test_an_unknown_layer_is_refused_with_the_known_ones(start):
    with pytest.raises(ConfigError, match=r"student.adapters.targets: no linear layer matches q_proj; .* query"):
        add_adapters(load_encoder(start, **LENGTHS), Adapters(targets="q_proj"), seed=13)


def test_without_peft_the_message_says_what_to_install(start, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependency, match=r"pip install 'optical-cli\[adapters\]'"):
        add_adapters(load_encoder(start, **LENGTHS), Adapters(), seed=13)
