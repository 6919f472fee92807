"""`optical lock`: writing down what the figures of an experiment come from."""

from optical_cli.cli import options, show
from optical_cli.cli.session import lock_file, open_unlocked
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import CacheError, ConfigError


def lock(
    experiment: options.Experiment,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Write the contents of all inputs, versions and machine beside the experiment, which is held to them from then on.

    An input that is another one then is refused; other versions and another machine are told, or refused by --locked.
    """
    from optical_cli.cache.files import write_text
    from optical_cli.reproduce.lock import lock_of, write_lock

    path = lock_file(experiment)
    if path is None:
        raise ConfigError(f"{experiment}: is part of the package, whose version pins it; name an experiment file")
    pipeline = open_unlocked(experiment, None, cache_dir, progress=TerminalProgress(), offline=offline)
    pipeline.check()
    made = lock_of(pipeline)
    try:
        write_text(path, write_lock(made))
        path.chmod(0o644)  # it goes with the experiment file, to whoever may read that
    except (CacheError, OSError) as error:
        raise ConfigError(f"{path}: cannot be written; copy the experiment to a folder of yours") from error
    if as_json:
        show.as_json({"path": str(path), **made.model_dump(mode="json")})
    else:
        print(path)
