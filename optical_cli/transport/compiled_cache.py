"""What numba keeps of compiled code, made to notice a change in any of the files it came from.

A function is compiled together with those it calls, and numba compares the date of its own file alone: after a
`git pull` that changes one file, callers in the others would go on with the old code.
"""

from pathlib import Path
from time import time

HERE = Path(__file__).parent


def drop_stale(folder: Path = HERE) -> None:
    """Remove compiled code that is older than the newest source beside it, in so far as it may be removed."""
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    if newest > time():
        return  # a clock that went back: nothing that is compiled from now on would look new enough
    for index in folder.glob("__pycache__/*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except (
            OSError
        ):  # another process was here first, or the folder is not ours to write: then numba keeps none here
            continue
