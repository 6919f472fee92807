"""The network, asked in a way that cannot hang."""

import os
import threading
import urllib.error
import urllib.request

from optical_cli.doctor.finding import Finding

OFFLINE = ("OPTICAL_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
SECONDS = 4.0


def look_at_network(url: str | None = None, seconds: float = SECONDS) -> Finding:
    """Whether downloads are wanted, and if so whether the hub answers.

    Args:
        url: what is asked; None for the hub that huggingface_hub would ask.
        seconds: that an answer may take.
    """
    if off := [f"{name}={os.environ[name]}" for name in OFFLINE if _is_on(os.environ.get(name, ""))]:
        return Finding("network", "ok", f"offline by {', '.join(off)}: nothing is downloaded")
    if url is None:
        from huggingface_hub import constants

        url = constants.ENDPOINT
    answer = _answer(url, seconds)
    if answer is None:
        return Finding("network", "ok", f"{url} answers")
    return Finding(
        "network", "warning", f"{url} does not answer: {answer}",
        "what is on this machine can be used; say --offline to be told before anything starts if something is not, "
        "or check HTTPS_PROXY and HF_ENDPOINT",
    )  # fmt: skip


def _is_on(value: str) -> bool:
    return value.strip().upper() in {"1", "ON", "YES", "TRUE"}  # as huggingface_hub reads it


def _answer(url: str, seconds: float) -> str | None:
    """Why nobody answers; None if somebody does, if only with a refusal."""
    said: list[str | None] = [f"no answer in {seconds:g} s"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the hub's own address, or the user's
        try:
            with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
                said[0] = None
        except urllib.error.HTTPError:
            said[0] = None
        except (OSError, ValueError) as error:
            said[0] = str(getattr(error, "reason", error))

    asking = threading.Thread(target=ask, daemon=True)  # a name server may take minutes, whatever the timeout says
    asking.start()
    asking.join(seconds + 1)
    return said[0]
