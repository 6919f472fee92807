"""`python -m tests.fuzz [TARGET ...] [--runs N]`: a coverage-guided attack on the parsers.

Each target runs in a process of its own, under libFuzzer by way of atheris, which keeps every input that reaches new
code and changes it further. An input that takes longer than a few seconds or more than a few hundred megabytes is a
fault as much as one that crashes; it is kept in a file, which is named.
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
"""Names the file in which a process notes the share of its inputs that was taken: libFuzzer ends it without a word."""


def main() -> int:
    """Attack what was asked for, and print a table; 1 if anything was found."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all of them if none is named")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each target (default: 100,000)")
    parser.add_argument("--seed", type=int, default=13)
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    print(f"{'parser':16} {'inputs':>9} {'taken':>7} {'edges':>6} {'seconds':>8}  found")
    faults = [_attack(name, asked.runs, asked.seed) for name in asked.targets or TARGETS]
    return int(any(faults))


def _attack(name: str, runs: int, seed: int) -> bool:
    """Run one target in a process of its own, print its line, and say whether it found a fault."""
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
        own = {**os.environ, FUZZ_ONE: name, TAKEN: str(taken)}
        started = time.monotonic()
        done = subprocess.run(command, env=own, capture_output=True, text=True, errors="replace", check=False)
        seconds = time.monotonic() - started
        share = taken.read_text() if taken.exists() else "?"
    said = done.stdout + done.stderr
    tried, edges = _last(r"number_of_executed_units: (\d+)", said), _last(r"cov: (\d+)", said)
    kept = re.search(r"Test unit written to (\S+)", said)
    found = kept[1] if kept else ("nothing" if done.returncode == 0 else f"stopped with exit code {done.returncode}")
    print(f"{name:16} {tried:>9,} {share:>7} {edges:>6} {seconds:>8.0f}  {found}", flush=True)
    if done.returncode != 0:
        print(said[max(said.find("Uncaught Python exception"), 0) :].partition("\n\n")[0], file=sys.stderr)
    return done.returncode != 0 or tried < runs


def _last(pattern: str, said: str) -> int:
    return int((re.findall(pattern, said) or [0])[-1])


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _fuzz(name: str) -> None:
    """Attack one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["optical_cli", "yaml", "json"]):
        from tests.fuzz.targets import attack
    counts = [0, 0]

    def one(content: bytes) -> None:
        counts[attack(name, content)] += 1
        if sum(counts) % 100 == 0:
            Path(os.environ[TAKEN]).write_text(f"{counts[1] / sum(counts):.1%}")

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    if FUZZ_ONE in os.environ:
        _fuzz(os.environ[FUZZ_ONE])
    else:
        sys.exit(main())
