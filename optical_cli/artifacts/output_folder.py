"""Model folders that a user names: written atomically, and never in place of anything but a model."""

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
    """Raise ConfigError if a folder cannot be written, or is not empty; `force` allows replacing a model."""
    target = target.absolute()
    existing = next(path for path in (target, *target.parents) if path.exists())
    if not existing.is_dir():
        raise ConfigError(f"--output {target}: expected a folder, but {existing} is a file")
    writable = existing.parent if existing == target else existing  # the new folder is made beside it and renamed
    if not os.access(writable, os.W_OK):
        raise ConfigError(f"--output {target}: {writable} cannot be written; name another folder")
    if existing != target or not any(target.iterdir()):
        return
    if not force:
        raise ConfigError(
            f"--output {target}: the folder is not empty; name another folder, or add --force to replace a model"
        )
    if not any((target / name).exists() for name in MODEL_FILES):
        raise ConfigError(f"--output {target}: --force replaces models only, and this is none; name another folder")


@contextmanager
def output_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """Open an empty folder beside the target, which it replaces when the context ends without an error.

    Raises:
        ConfigError: the target cannot be written, or is not empty (see `check_output_folder`).
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
        made.mkdir()  # with default permissions; the scratch folder is private
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
