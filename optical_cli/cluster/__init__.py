"""Stages and cells on more than one machine, by workers on the nodes of a Ray cluster."""

from optical_cli.cluster.ray_cluster import RayCluster, check_address

__all__ = ["RayCluster", "check_address"]
