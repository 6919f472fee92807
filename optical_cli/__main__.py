"""`python -m optical_cli`: what `torchrun -m` starts in every process."""

from optical_cli.cli import main

main()
