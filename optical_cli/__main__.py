"""`python -m optical_cli`, which `torchrun -m optical_cli` runs in every process."""

from optical_cli.cli import main

main()
