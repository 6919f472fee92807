"""`optical fuse`: several TREC runs become one."""

from pathlib import Path
from typing import Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError

Runs = Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="TREC run files of the same topics.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The new run file.")]
MethodName = Annotated[str, typer.Option("--method", help="rrf, sum or mnz; the last two of min-max scores.")]
K = Annotated[int, typer.Option("--k", min=0, help="Of rrf: how little a first place is ahead of a second.")]
Depth = Annotated[int | None, typer.Option("--depth", min=1, help="Documents kept for a topic; all.")]
Tag = Annotated[str | None, typer.Option("--tag", help="The run's name; that of the method.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


def fuse(
    runs: Runs,
    output: Output,
    method: MethodName = "rrf",
    k: K = 60,
    depth: Depth = None,
    tag: Tag = None,
    force: Force = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Fuse TREC runs, of BM25 and of a student or anybody's, into one."""
    from optical_cli.artifacts.run import read_run, replace_run
    from optical_cli.evaluate.fuse import METHODS, fuse_runs

    chosen = next((name for name in METHODS if name == method), None)
    if chosen is None:
        raise ConfigError(f"--method {method}: {', '.join(METHODS)} expected")
    if output.exists() and not force:
        raise ConfigError(f"--output {output}: is there already; name another file, or add --force to replace it")
    if len({path.resolve() for path in runs}) != len(runs):
        raise ConfigError("fuse: a run stands there twice; name each once")
    read = [read_run(path) for path in runs]
    fused = fuse_runs(read, chosen, k, depth)
    progress = TerminalProgress()
    if partly := sum(any(query_id not in run for run in read) for query_id in fused):
        progress.say(f"{partly} of {len(fused)} topics are not in every run")
    replace_run(output, fused.items(), tag or method)
    if as_json:
        show.as_json({"path": str(output), "topics": len(fused), "topics_not_in_every_run": partly})
        return
    print(output)
