"""`python -m bench.gpu [--device DEVICE] [--reduced] [--out FILE]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import torch

from bench.gpu import models, search, transport
from bench.gpu.proof import FULL, REDUCED, Proof
from bench.machine import describe
from bench.results import Recorder, table
from optical_cli.encoder.device import resolve_device
from optical_cli.errors import ConfigError, OpticalError

OUT = Path("build/gpu.json")
PARTS = {
    "gpu/transport, checks": transport.check,
    "gpu/transport, speed": transport.measure,
    "gpu/transport, share of a step": transport.measure_share,
    "gpu/search": search.check_and_measure,
    "gpu/models": models.check_and_measure,
    "gpu/tiny": models.check_tiny,
}


def main(arguments: Sequence[str]) -> int:
    """Run all parts, and return the exit code: 0, 1 if a check has failed, or 2 if nothing can run."""
    parser = argparse.ArgumentParser("python -m bench.gpu", description="Check and measure one GPU.")
    parser.add_argument("--device", default="cuda", help="torch device to check (default: cuda)")
    parser.add_argument("--reduced", action="store_true", help="few and small problems, for a test of this script")
    parser.add_argument("--out", type=Path, default=OUT, help=f"JSON file to write (default: {OUT})")
    given = parser.parse_args(arguments)
    begin = perf_counter()
    try:
        device = _device(given.device, given.reduced)
    except OpticalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    given.out.parent.mkdir(parents=True, exist_ok=True)
    lines = given.out.with_suffix(".jsonl")  # grows by a line for each result, and outlives an interrupted run
    lines.unlink(missing_ok=True)
    machine = {**describe(torch.get_num_threads()), "device": _name(device), "reduced": given.reduced}
    proof = Proof(Recorder(lines, machine), device, REDUCED if given.reduced else FULL)
    for name, run in PARTS.items():
        with proof.part(name):
            run(proof)
    proof.write(given.out, perf_counter() - begin)
    print(table(proof.recorder.results))
    for line in proof.skipped:
        print(f"not measured: {line}")
    for line in proof.failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if proof.failed else 0


def _device(wanted: str, reduced: bool) -> str:
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            "torch sees no CUDA device; run `make gpu` on a machine with a GPU and a torch build for CUDA, or try the "
            "script itself with `python -m bench.gpu --device cpu --reduced`"
        )
    if not wanted.startswith("cuda") and not reduced:
        raise ConfigError(f"--device {wanted}: expected cuda or cuda:1; other devices need --reduced")
    return resolve_device(wanted)


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
