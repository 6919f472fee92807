"""How long a training step's matrix products take in either precision, on the device that would do them."""

from time import perf_counter

import torch

from optical_cli.encoder.threads import keep_threads

WIDTH, INNER = 384, 1536  # of a MiniLM
TOKENS = 64 * 32  # of a batch
LAYERS = 2
ROUNDS = 3


def seconds_by_precision() -> dict[str, float]:
    """Seconds of the same forward and backward pass in `float32` and `bfloat16`: the fastest of a few, in turns."""
    keep_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layers = [torch.nn.Linear(WIDTH, INNER), torch.nn.GELU(), torch.nn.Linear(INNER, WIDTH)] * LAYERS
    model = torch.nn.Sequential(*layers).to(device)
    x = torch.ones(TOKENS, WIDTH, device=device)
    times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for _ in range(ROUNDS + 1):
        for name, measured in times.items():
            begin = perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=name == "bfloat16"):
                model(x).sum().backward()
            if device == "cuda":
                torch.cuda.synchronize()
            measured.append(perf_counter() - begin)
    return {name: min(measured[1:]) for name, measured in times.items()}  # the first call chooses its kernels
