"""What numba compiles on first use: is it compiled already, and can it be kept?"""

from pathlib import Path
from typing import Any

from optical_cli.doctor.finding import Finding


def look_at_compiled() -> Finding:
    """A function of the transport, one of the search and one of ranx stand for all that `optical warm-up` compiles."""
    from ranx.metrics.ndcg import _ndcg_parallel

    from optical_cli.retrieve.exact import exact_scores
    from optical_cli.transport.sinkhorn_numba import _solve_plans

    functions: dict[str, Any] = {"transport": _solve_plans, "search": exact_scores, "ranx": _ndcg_parallel}
    cold = [name for name, function in functions.items() if not _is_kept(function)]
    if not cold:
        return Finding("compiled code", "ok", f"of {', '.join(functions)}, kept from before")
    return Finding(
        "compiled code", "warning", f"{', '.join(cold)}: not compiled yet, so what follows takes longer",
        "`optical warm-up` compiles all there is, up to a minute once; if this comes back, nothing can be kept beside "
        "the packages: set NUMBA_CACHE_DIR to a folder that can be written",
    )  # fmt: skip


def _is_kept(function: Any) -> bool:
    folder = function.stats.cache_path
    name = f"{function.py_func.__module__.rpartition('.')[2]}.{function.py_func.__qualname__}-*.nbi"
    return folder is not None and any(Path(folder).glob(name))
