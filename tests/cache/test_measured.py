from optical_cli.cache import measured
from optical_cli.cache.measured import keep_measurement, kept_measurement


def test_a_measurement_is_kept_for_what_it_depends_on_and_for_this_machine(tmp_path, monkeypatch):
    keep_measurement(tmp_path, "speed", "a model", "float32", found={"tokens": 12.5})
    assert kept_measurement(tmp_path, "speed", "a model", "float32") == {"tokens": 12.5}
    assert kept_measurement(tmp_path, "speed", "a model", "bfloat16") == {}
    assert kept_measurement(tmp_path, "precision", "a model", "float32") == {}
    monkeypatch.setattr(measured, "model_line", lambda: "another processor")
    assert kept_measurement(tmp_path, "speed", "a model", "float32") == {}


def test_a_damaged_measurement_is_none_at_all(tmp_path):
    keep_measurement(tmp_path, "speed", found={"tokens": 12.5})
    (file,) = tmp_path.iterdir()
    for content in ("", "[1]", '{"tokens": "fast"}', '{"tokens": 1e999}'):
        file.write_text(content, encoding="utf-8")
        assert kept_measurement(tmp_path, "speed") == {}
