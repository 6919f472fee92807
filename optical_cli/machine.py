"""What this machine has: memory and room on a disk."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def memory() -> int | None:
    """Bytes of memory there are: the machine's, or what a container is held to; None if unknown."""
    limits = []
    with suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min((limit for limit in limits if limit > 0), default=None)


def free_disk(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder, which may still have to be made; None if unknown."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    with suppress(OSError):
        if there is not None:
            return shutil.disk_usage(there).free
    return None
