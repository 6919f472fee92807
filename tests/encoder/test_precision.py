import json

import pytest

from optical_cli.encoder import precision
from optical_cli.encoder.precision import resolve_precision, seconds_by_precision


@pytest.fixture
def measured(monkeypatch):
    """Pretend that a machine with bfloat16 units takes these seconds; return how often it was measured."""
    calls = []

    def machine(float32, bfloat16):
        def measure():
            calls.append(1)
            return {"float32": float32, "bfloat16": bfloat16}

        monkeypatch.setattr(precision, "_has_bfloat16_units", lambda: True)
        monkeypatch.setattr(precision, "_measured", measure)
        return calls

    return machine


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.4, "bfloat16"), (0.95, "float32"), (1.5, "float32")])
def test_auto_is_bfloat16_if_it_is_faster_by_a_margin(measured, bfloat16, expected):
    measured(1.0, bfloat16)
    assert resolve_precision("auto") == expected
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bfloat16") == "bfloat16"


def test_a_machine_is_measured_once(measured, tmp_path):
    said = []
    assert len(measured(1.0, 0.4)) == 0
    assert resolve_precision("auto", tmp_path, said.append) == "bfloat16"
    assert said == [
        "precision auto: bfloat16 on this machine from now on (measured: float32 1.000 s, bfloat16 0.400 s)"
    ]
    calls = measured(1.0, 2.0)
    assert resolve_precision("auto", tmp_path, said.append) == "bfloat16"
    assert (len(calls), len(said)) == (1, 1)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"float32": "fast", "bfloat16": 1}'])
def test_a_damaged_record_is_measured_again(measured, tmp_path, content):
    measured(1.0, 0.4)
    resolve_precision("auto", tmp_path)
    (record,) = tmp_path.iterdir()
    record.write_text(content)
    calls = measured(1.0, 2.0)
    assert resolve_precision("auto", tmp_path) == "float32"
    assert len(calls) == 2
    assert json.loads(record.read_text()) == {"float32": 1.0, "bfloat16": 2.0}


def test_a_read_only_cache_is_no_error(measured, tmp_path):
    measured(1.0, 0.4)
    (tmp_path / "file").touch()
    assert resolve_precision("auto", tmp_path / "file") == "bfloat16"


def test_both_precisions_are_timed():
    seconds = seconds_by_precision()
    assert set(seconds) == {"float32", "bfloat16"}
    assert all(0 < value < 60 for value in seconds.values())
