import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data import paths
from optical_cli.data.absent import downloads_off
from optical_cli.data.models import resolve_model
from optical_cli.errors import DataError, NotHere


def weights(value):
    return save({"weight": np.full((2, 2), value, np.float32)})


@pytest.fixture
def model(write, tmp_path):
    write("model/config.json", "{}")
    write("model/tokenizer.json", "{}")
    write("model/vocab.txt", "a\n")
    write("model/model.safetensors", weights(1))
    write("model/1_Dense/model.safetensors", weights(2))
    return tmp_path / "model"


def test_a_folder_is_a_model(model, tmp_path):
    found = resolve_model("model", tmp_path)
    assert (found.name, found.folder) == ("model", model)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors", "1_Dense/model.safetensors"])
def test_the_fingerprint_follows_every_file_of_the_encoder(model, write, tmp_path, memo, name):
    before = resolve_model(str(model), tmp_path).fingerprint(memo)
    write(f"model/{name}", weights(4) if name.endswith(".safetensors") else '["changed for certain"]')
    assert resolve_model(str(model), tmp_path).fingerprint(Fingerprints(tmp_path / "memo")) != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README.txt",
        "manifest.json",
        "onnx/model.json",
        ".git/x.json",
        ".cache/y.json",
        "training.jsonl",
    ],
)
def test_other_files_do_not_change_the_fingerprint(model, write, tmp_path, memo, name):
    before = resolve_model(str(model), tmp_path).fingerprint(memo)
    write(f"model/{name}", "{}")
    assert resolve_model(str(model), tmp_path).fingerprint(Fingerprints(tmp_path / "memo")) == before


def test_a_moved_model_keeps_its_fingerprint_and_a_renamed_file_changes_it(model, tmp_path, memo):
    before = resolve_model("model", tmp_path).fingerprint(memo)
    moved = model.rename(tmp_path / "moved")
    assert resolve_model("moved", tmp_path).fingerprint(memo) == before
    (moved / "1_Dense").rename(moved / "2_Dense")
    assert resolve_model("moved", tmp_path).fingerprint(Fingerprints(tmp_path / "memo")) != before


def test_a_folder_that_is_not_a_model_is_refused_with_its_files(write, tmp_path):
    write("notes/a.txt", "")
    with pytest.raises(DataError, match=r"notes is not a model: expected config\.json or modules\.json, found a\.txt"):
        resolve_model("notes", tmp_path)


def test_a_missing_folder_and_a_file_are_refused(write, tmp_path):
    write("file", "")
    with pytest.raises(DataError, match=r"absent does not exist"):
        resolve_model("./absent", tmp_path)
    with pytest.raises(DataError, match="cannot be read as a folder"):
        resolve_model("file", tmp_path)


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "weights.pt"])
def test_pickled_weights_are_refused_with_a_remedy(model, write, tmp_path, pickle):
    (model / "model.safetensors").unlink()
    write(f"model/{pickle}", b"")
    with pytest.raises(DataError, match=f"{pickle} is a pickle, .*expected safetensors weights.*save_pretrained"):
        resolve_model("model", tmp_path)


def test_a_pickled_module_is_refused_beside_safe_ones(model, write, tmp_path):
    write("model/2_Dense/pytorch_model.bin", b"")
    with pytest.raises(DataError, match=r"2_Dense/pytorch_model\.bin is a pickle"):
        resolve_model(str(model), tmp_path)


def test_pickles_beside_safetensors_are_ignored(model, write, tmp_path):
    write("model/pytorch_model.bin", b"")
    write("model/training_args.bin", b"")
    assert resolve_model("model", tmp_path).folder == model


def test_a_model_without_weights_is_refused(write, tmp_path):
    write("model/config.json", "{}")
    with pytest.raises(DataError, match="has no weights"):
        resolve_model("model", tmp_path)


def test_builtin_is_the_packaged_teacher(model, tmp_path, monkeypatch):
    monkeypatch.setitem(paths.BUILTIN["model"], "tiny-teacher", model)
    assert resolve_model("builtin:tiny-teacher", tmp_path / "elsewhere").folder == model


def test_a_source_that_is_neither_path_nor_id_is_refused(tmp_path):
    with pytest.raises(DataError, match="nor a Hugging Face id"):
        resolve_model("a/b/c", tmp_path)


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    """The cache of huggingface_hub with one model in it."""
    repo = tmp_path / "hub" / "models--acme--small"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    (repo / "blobs").mkdir()
    (repo / "snapshots").mkdir()
    model.rename(repo / "snapshots" / "c0ffee")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return repo


def test_the_local_cache_comes_first(hub, tmp_path):
    with downloads_off():
        found = resolve_model("acme/small", tmp_path)
    assert (found.name, found.folder) == ("acme/small", hub / "snapshots" / "c0ffee")


@pytest.mark.parametrize("absent", ["1_Dense/model.safetensors", "tokenizer.json", "model.safetensors", "config.json"])
def test_an_interrupted_download_is_not_taken_for_whole(hub, tmp_path, absent):
    (hub / "blobs" / "abc.incomplete").touch()
    snapshot = hub / "snapshots" / "c0ffee"
    kinds = {"": "models.Transformer", "1_Dense": "models.Dense"}
    modules = [{"path": path, "type": f"sentence_transformers.{kind}"} for path, kind in kinds.items()]
    (snapshot / "modules.json").write_text(json.dumps(modules))
    (snapshot / "vocab.txt").unlink()
    (snapshot / absent).unlink()
    with downloads_off(), pytest.raises(NotHere, match="nor in the local Hugging Face cache, and downloads are off"):
        resolve_model("acme/small", tmp_path)


def test_a_failed_download_is_reported_in_one_line(tmp_path):
    code = (
        "from pathlib import Path; from optical_cli.data.models import resolve_model\n"
        "from optical_cli.errors import DataError\n"
        "try: resolve_model('acme/absent', Path('.'))\n"
        "except DataError as error: print(error)\n"
    )
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("acme/absent is not a folder under . and cannot be downloaded from Hugging Face (")
    assert done.stdout.count("\n") == 1


def test_a_folder_behind_a_link_is_a_part_of_the_fingerprint(model, write, tmp_path, memo):
    """Changed weights behind a link would find a stale index under the same key."""
    (model / "1_Dense").rename(tmp_path / "shared")
    (model / "1_Dense").symlink_to(tmp_path / "shared", target_is_directory=True)
    before = resolve_model("model", tmp_path).fingerprint(memo)
    write("shared/model.safetensors", weights(3))
    assert resolve_model("model", tmp_path).fingerprint(Fingerprints(tmp_path / "memo")) != before


def test_links_that_lead_in_a_circle_are_named(model, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "back").symlink_to(model, target_is_directory=True)
    (model / "again").symlink_to(tmp_path / "other", target_is_directory=True)
    with pytest.raises(DataError, match="again/back is a link to a folder that contains it"):
        resolve_model(str(model), tmp_path)
    (model / "again").unlink()
    (model / "again").symlink_to("again")
    with pytest.raises(DataError, match="again is a link that leads back to itself"):
        resolve_model(str(model), tmp_path)


def test_a_pickle_behind_a_link_is_refused_and_so_is_a_link_in_a_circle(model, write, tmp_path):
    write("shared/pytorch_model.bin", b"")
    (model / "2_Dense").symlink_to(tmp_path / "shared", target_is_directory=True)
    with pytest.raises(DataError, match=r"pytorch_model\.bin is a pickle"):
        resolve_model("model", tmp_path)
    (model / "2_Dense").unlink()
    (model / "again").symlink_to(model, target_is_directory=True)
    with pytest.raises(DataError, match="again is a link to a folder that contains it"):
        resolve_model("model", tmp_path)


def test_a_model_without_a_vocabulary_is_not_whole(model, tmp_path):
    (model / "tokenizer.json").unlink()
    (model / "vocab.txt").unlink()
    with pytest.raises(DataError, match=r"not a whole model: .*model has no vocabulary: expected tokenizer\.json"):
        resolve_model("model", tmp_path)


@pytest.mark.usefixtures("model")
def test_a_model_lacks_no_part_that_it_names(write, tmp_path):
    write("model/model.safetensors.index.json", '{"weight_map": {"a": "model.safetensors", "b": "two.safetensors"}}')
    with pytest.raises(DataError, match=r"two\.safetensors is missing, which model\.safetensors\.index\.json names"):
        resolve_model("model", tmp_path)


def test_a_whole_snapshot_is_taken_though_a_blob_beside_it_is_not(hub, tmp_path):
    (hub / "blobs" / "abc.incomplete").touch()
    with downloads_off():
        assert resolve_model("acme/small", tmp_path).folder.name == "c0ffee"


@pytest.mark.parametrize("content", ['["a"]', '[{"path": null, "type": "models.Transformer"}]'])
def test_modules_of_another_shape_are_a_line(model, write, tmp_path, content):
    write(f"{model.name}/modules.json", content)
    with pytest.raises(DataError, match=r"modules\.json is no list of modules with a path and a type"):
        resolve_model("model", tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", "[]"),
        ("model.safetensors.index.json", '{"weight_map": ["a"]}'),
        ("modules.json", "{}"),
    ],
)
def test_other_files_of_another_shape_are_left_to_loading(model, write, tmp_path, name, content):
    write(f"{model.name}/{name}", content)
    assert resolve_model("model", tmp_path).folder == model


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", weights(1)[:-1], "cannot be read as safetensors weights"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", "cannot be read as safetensors weights"),
        ("1_Dense/model.safetensors", b"", "cannot be read as safetensors weights"),
        ("config.json", '{"hidden_size": 3', "cannot be read as JSON"),
        ("tokenizer.json", "", "cannot be read as JSON"),
        ("tokenizer.json", '{"a": "' + "b" * (1 << 20), "is JSON that is cut off"),
    ],
)
def test_a_damaged_file_is_named_before_anything_is_loaded(model, write, tmp_path, name, content, said):
    write(f"{model.name}/{name}", content)
    with pytest.raises(DataError, match=f"{name} {said}") as caught:
        resolve_model("model", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_configuration_with_a_key_twice_is_refused(model, tmp_path):
    (model / "config.json").write_text('{"hidden_size": 24, "hidden_size": 48}', encoding="utf-8")
    with pytest.raises(DataError, match=r"config\.json cannot be read as JSON \(.*'hidden_size' is there twice"):
        resolve_model("model", tmp_path)


def test_a_vocabulary_may_have_a_token_twice(model, write, tmp_path):
    write("model/vocab.json", '{"a": 0, "a": 1}')
    assert resolve_model("model", tmp_path).folder == model
