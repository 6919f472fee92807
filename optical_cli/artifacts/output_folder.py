"""A model folder that a user names: written whole or not at all, and never in place of anything but a model."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optical_cli.cache.files import sync_folder
from optical_cli.errors import ConfigError

MODEL_FILES = ("modules.json", "config.json")


def check_output_folder(target: Path, *, force: bool) -> None:
    """Raise ConfigError if a folder cannot be written or must not be replaced: `force` replaces a model alone."""
    target = target.absolute()
    there = next(path for path in (target, *target.parents) if path.exists())
    if not there.is_dir():
        raise ConfigError(f"--output {target}: a folder expected, and {there} is a file")
    writable = there.parent if there == target else there  # the new folder is made beside it and renamed
    if not os.access(writable, os.W_OK):
        raise ConfigError(f"--output {target}: {writable} cannot be written; name a folder elsewhere")
    if there != target or not any(target.iterdir()):
        return
    if not force:
        raise ConfigError(f"--output {target}: is not empty; name another folder, or add --force to replace a model")
    if not any((target / name).exists() for name in MODEL_FILES):
        raise ConfigError(f"--output {target}: --force replaces a model, and this folder holds none; name another one")


@contextmanager
def output_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """An empty folder beside the target, which it replaces when the context is left without an error.

    ConfigError if the target cannot be written, or must not be replaced.
    """
    check_output_folder(target, force=force)
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial"))
    except OSError as error:
        raise ConfigError(f"--output {target}: cannot be written ({error.strerror or error})") from error
    made = scratch / "made"
    try:
        made.mkdir()  # with the usual permissions; those of the scratch folder are private
        yield made
        sync_folder(made)
        if target.exists():
            target.rename(scratch / "replaced")
        made.rename(target)
    except OSError as error:
        if (scratch / "replaced").exists() and not target.exists():
            (scratch / "replaced").rename(target)
        raise ConfigError(f"--output {target}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
