"""Ray, which `--engine ray` needs, and the cluster that the environment names."""

import os
from importlib.metadata import PackageNotFoundError, version

from optical_cli.doctor.finding import Finding
from optical_cli.errors import ConfigError


def look_at_ray() -> Finding:
    """Whether ray is here, and whether the head of a cluster answers at RAY_ADDRESS; nothing is started."""
    try:
        found = f"ray {version('ray')}"
    except PackageNotFoundError:
        return Finding("ray", "ok", "not installed; --engine ray alone needs it: pip install 'optical-cli[ray]'")
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        return Finding("ray", "ok", f"{found}; --engine ray starts a cluster of this machine")
    from optical_cli.cluster import check_address

    try:
        check_address(address)
    except ConfigError as error:
        return Finding("ray", "warning", f"{found}; RAY_ADDRESS={address}", str(error))
    return Finding("ray", "ok", f"{found}; --engine ray uses the cluster at RAY_ADDRESS={address}")
