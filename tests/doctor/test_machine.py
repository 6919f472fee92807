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


def test_the_cores_are_those_of_the_container(monkeypatch):
    monkeypatch.setattr(machine, "system_file", {"/sys/fs/cgroup/cpu.max": "50000 100000\n"}.__getitem__)
    assert machine.allowed_cores() == 0.5
    monkeypatch.setattr(machine, "system_file", {"/sys/fs/cgroup/cpu.max": "max 100000\n"}.__getitem__)
    assert machine.allowed_cores() >= 1


def test_the_memory_is_that_of_the_container(monkeypatch):
    files = {"/proc/meminfo": "MemTotal: 9\nMemAvailable:   20000000 kB\n", "/sys/fs/cgroup/memory.max": "3000000000",
             "/sys/fs/cgroup/memory.current": "1000000000"}  # fmt: skip
    monkeypatch.setattr(machine, "system_file", lambda path: files.get(path, ""))
    assert machine.free_memory() == 2e9
    assert found("memory").state == "warning"
    files["/sys/fs/cgroup/memory.max"] = "max"
    assert machine.free_memory() == 1024 * 20_000_000
    files.clear()
    assert (machine.free_memory(), found("memory").state) == (None, "ok")


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
    assert look_at_precision(tmp_path).found.startswith("measured when")
    monkeypatch.setattr(precision, "_measured", lambda: {"float32": 1.0, "bfloat16": 0.2})
    precision.resolve_precision("auto", tmp_path)
    assert look_at_precision(tmp_path).found == "bfloat16"
