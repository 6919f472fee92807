import pytest

from optical_cli.doctor import machine
from optical_cli.doctor.machine import look_at_machine, look_at_precision


def found(name):
    return next((finding for finding in look_at_machine() if finding.what == name), None)


def test_more_threads_than_cores_are_a_warning_with_the_number_to_set(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    monkeypatch.setattr(machine, "allowed_cores", lambda: 2.5)
    assert found("threads").state == "warning"
    assert found("threads").mend == "set OMP_NUM_THREADS=2"


def test_little_memory_is_a_warning_and_unknown_memory_is_none(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 2e9)
    assert found("memory").state == "warning"
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    assert found("memory").state == "ok"


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("ATEN_CPU_CAPABILITY", "avx2", "processor"),
        ("NUMBA_THREADING_LAYER", "omp", "threading layer"),
        ("OMP_WAIT_POLICY", "ACTIVE", "waiting threads"),
    ],
)
def test_settings_that_change_bits_or_speed_are_told(monkeypatch, name, value, what):
    monkeypatch.delenv(name, raising=False)
    assert found(what) is None or found(what).state == "ok"
    monkeypatch.setenv(name, value)
    assert found(what).state == "warning"
    assert f"{name}={value}" in found(what).found


def test_precision_is_what_was_measured_and_nothing_is_measured_for_it(monkeypatch, tmp_path):
    from optical_cli.encoder import precision

    monkeypatch.setattr(precision, "_has_bfloat16_units", lambda: True)
    assert look_at_precision(tmp_path).found.startswith("not measured yet")
    monkeypatch.setattr(precision, "_measured", lambda: {"float32": 1.0, "bfloat16": 0.2})
    precision.resolve_precision("auto", tmp_path)
    assert look_at_precision(tmp_path).found == "bfloat16"
