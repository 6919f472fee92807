"""Print the pins of constraints.txt with the SHA-256 of the files that pip would install here, for --require-hashes.

    python .ci/hash_pins.py > hashes/cp311-linux-x86_64-cpu.txt

Run it for each combination of Python, system and build of torch, as pip only resolves for its own.
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = ("hatchling", "editables")  # needed to build an editable install without build isolation


def main() -> None:
    """Let pip resolve without installing, and print the pins."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        resolve = ("install", "--quiet", "--dry-run", "--ignore-installed", "--report", str(report))
        wanted = ("--constraint", "constraints.txt", ".[dev,translate]", *BUILD)
        subprocess.run([sys.executable, "-m", "pip", *resolve, *wanted], check=True)  # noqa: S603 - pip of this Python
        packages = json.loads(report.read_text(encoding="utf-8"))["install"]
    python = f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}"
    print(f"# Made by .ci/hash_pins.py for {python} on {platform.system()} {platform.machine()}.")
    for package in sorted(packages, key=lambda package: package["metadata"]["name"].lower()):
        hashes = package["download_info"].get("archive_info", {}).get("hashes", {})
        if hashes:  # a folder, such as optical itself, has none
            name, version = package["metadata"]["name"], package["metadata"]["version"]
            print(f"{name}=={version} --hash=sha256:{hashes['sha256']}")


if __name__ == "__main__":
    main()
