import pytest

from optical_cli import machine

CPUINFO = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 sse avx512_bf16\n"


@pytest.fixture
def cpuinfo(monkeypatch):
    """A system that says this of its machine."""

    def says(text):
        machine._cpuinfo_line.cache_clear()
        monkeypatch.setattr(machine, "system_file", lambda _path: text)

    yield says
    machine._cpuinfo_line.cache_clear()


def test_instruction_sets_are_those_that_matter_in_a_fixed_order(cpuinfo):
    cpuinfo(CPUINFO)
    assert machine.instruction_sets() == ["avx2", "avx512_bf16"]
    assert machine.model_line() == "model name\t: Some CPU"


def test_a_processor_of_another_kind_and_a_system_that_does_not_tell(cpuinfo):
    cpuinfo("Features\t: fp asimd bf16\n")
    assert machine.instruction_sets() == ["asimd", "bf16"]
    cpuinfo("")
    assert (machine.instruction_sets(), machine.model_line()) == ([], "")


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("many", None)])
def test_threads_are_those_that_are_set_or_one_a_core(monkeypatch, value, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 5, 6, 7, 8}, raising=False)
    assert machine.threads() == (threads or 5)


def test_what_holds_libraries_back_is_found(monkeypatch):
    for name in machine.INSTRUCTION_LIMITS:
        monkeypatch.delenv(name, raising=False)
    assert machine.instruction_limits() == {}
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert machine.instruction_limits() == {"ONEDNN_MAX_CPU_ISA": "AVX2"}


def test_the_cores_are_those_of_the_container(monkeypatch):
    monkeypatch.setattr(machine, "system_file", {"/sys/fs/cgroup/cpu.max": "50000 100000\n"}.__getitem__)
    assert machine.allowed_cores() == 0.5
    monkeypatch.setattr(machine, "system_file", {"/sys/fs/cgroup/cpu.max": "max 100000\n"}.__getitem__)
    assert machine.allowed_cores() >= 1


def test_the_memory_is_that_of_the_container(monkeypatch):
    files = {"/proc/meminfo": "MemTotal: 9\nMemAvailable:   20000000 kB\n", "/sys/fs/cgroup/memory.max": "3000000000",
             "/sys/fs/cgroup/memory.current": "1000000000"}  # fmt: skip
    monkeypatch.setattr(machine, "system_file", lambda path: files.get(path, ""))
    assert (machine.free_memory(), machine.memory()) == (2e9, 3e9)
    files["/sys/fs/cgroup/memory.max"] = "max"
    assert machine.free_memory() == 1024 * 20_000_000
    assert machine.memory() > 3e9
    files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "1000000\n"
    assert machine.memory() == 1e6
    files.clear()
    assert machine.free_memory() is None
