"""`python -m tests.fuzz [TARGET ...] [--runs N]`: coverage-guided fuzzing of the parsers.

Each target runs in its own process under atheris (libFuzzer), which keeps inputs that reach new code and mutates them
further. An input that crashes, takes too long or needs too much memory is a fault; it is written to a file, which the
table names.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 10
MEGABYTES = 1024
LONGEST_INPUT = 4096
FUZZ_ONE = "OPTICAL_FUZZ_ONE"
TAKEN = "OPTICAL_FUZZ_TAKEN"
"""Environment variable with the file that a process writes the share of accepted inputs to, as libFuzzer ends it."""


def main() -> int:
    """Fuzz the chosen targets, print a table, and return the exit code: 1 if there is a fault."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help=f"parsers: {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each target (default: 100,000)")
    parser.add_argument("--seed", type=int, default=13)
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}; choose from {', '.join(TARGETS)}")
    print(f"{'parser':16} {'inputs':>9} {'taken':>7} {'edges':>6} {'seconds':>8}  found")
    faults = [_attack(name, chosen.runs, chosen.seed) for name in chosen.targets or TARGETS]
    return int(any(faults))


def _attack(name: str, runs: int, seed: int) -> bool:
    """Fuzz one target in a process of its own, print its line, and return whether there is a fault."""
    from tests.fuzz.targets import NASTY, TARGETS

    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for number, content in enumerate(TARGETS[name].seeds):
            (corpus / str(number)).write_bytes(content[:LONGEST_INPUT])
        words = [word for word in (*NASTY, *TARGETS[name].tokens) if len(word) <= 64]
        dictionary = Path(scratch) / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words), encoding="ascii")
        command = [
            sys.executable, "-m", "tests.fuzz", str(corpus), f"-dict={dictionary}", f"-runs={runs}", f"-seed={seed}",
            f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST_INPUT}", "-len_control=0",
            "-print_final_stats=1",
            f"-artifact_prefix={tempfile.gettempdir()}/optical-{name}-",
        ]  # fmt: skip
        taken = Path(scratch) / "taken"
        environment = {**os.environ, FUZZ_ONE: name, TAKEN: str(taken)}
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
        seconds = time.monotonic() - started
        share = taken.read_text() if taken.exists() else "?"
    output = done.stdout + done.stderr
    tried, edges = _last(r"number_of_executed_units: (\d+)", output), _last(r"cov: (\d+)", output)
    kept = re.search(r"Test unit written to (\S+)", output)
    found = kept[1] if kept else ("nothing" if done.returncode == 0 else f"stopped with exit code {done.returncode}")
    print(f"{name:16} {tried:>9,} {share:>7} {edges:>6} {seconds:>8.0f}  {found}", flush=True)
    if done.returncode != 0:
        print(output[max(output.find("Uncaught Python exception"), 0) :].partition("\n\n")[0], file=sys.stderr)
    return done.returncode != 0 or tried < runs


def _last(pattern: str, output: str) -> int:
    return int((re.findall(pattern, output) or [0])[-1])


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _fuzz(name: str) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["optical_cli", "yaml", "json"]):
        from tests.fuzz.targets import attack
    counts = [0, 0]

    def fuzz_input(content: bytes) -> None:
        counts[attack(name, content)] += 1
        if sum(counts) % 100 == 0:
            Path(os.environ[TAKEN]).write_text(f"{counts[1] / sum(counts):.1%}")

    atheris.Setup(sys.argv, fuzz_input)
    atheris.Fuzz()


if __name__ == "__main__":
    if FUZZ_ONE in os.environ:
        _fuzz(os.environ[FUZZ_ONE])
    else:
        sys.exit(main())
