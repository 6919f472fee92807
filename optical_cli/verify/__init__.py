"""Whether what the cache holds comes out again, byte for byte."""

from optical_cli.verify.recompute import Verified, verify_scores, verify_stages

__all__ = ["Verified", "verify_scores", "verify_stages"]
