import os
import subprocess
import sys

CODE = """
import torch
from optical_cli.encoder.device import keep_threads
from optical_cli.transport import TransportProblem, solve, uniform_marginals
keep_threads()
found = [torch.get_num_threads()]
mask = torch.ones(64, 40, dtype=torch.bool)
solve(TransportProblem(torch.rand(64, 40, 40), uniform_marginals(mask), uniform_marginals(mask)), 0.02)
found.append(torch.get_num_threads())
import numba
numba.get_num_threads()  # starts numba's threads, like the first parallel code of ranx
keep_threads()
found.append(torch.get_num_threads())
torch.nn.Linear(8, 8)(torch.ones(4, 8)).sum().backward()
print(*found, torch.get_num_threads())
"""


def test_numba_and_a_backward_pass_do_not_change_the_number_of_threads():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "omp"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"] * 4
