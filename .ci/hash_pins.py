"""Prints the pins of constraints.txt with the SHA-256 of the files that pip would install here, for --require-hashes.

    python .ci/hash_pins.py > hashes/cp311-linux-x86_64-cpu.txt

What belongs to another Python, system or build of torch is another file: pip resolves for the one it runs on.
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = ("hatchling", "editables")  # what an editable install is built with, when pip must not fetch it by itself


def main() -> None:
    """Let pip resolve without installing, and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(  # noqa: S603 - pip, as this Python has it
            [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", report,
             "--constraint", "constraints.txt", ".[dev,translate]", *BUILD],
            check=True,
        )  # fmt: skip
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    print(f"# Made by .ci/hash_pins.py for {platform.python_implementation()} {platform.python_version_tuple()[0]}."
          f"{platform.python_version_tuple()[1]} on {platform.system()} {platform.machine()}.")  # fmt: skip
    for one in sorted(found, key=lambda one: one["metadata"]["name"].lower()):
        hashes = one["download_info"].get("archive_info", {}).get("hashes", {})
        if hashes:  # optical itself, a folder, has none
            name, version = one["metadata"]["name"], one["metadata"]["version"]
            print(f"{name}=={version} --hash=sha256:{hashes['sha256']}")


if __name__ == "__main__":
    main()
