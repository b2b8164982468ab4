"""``python -m tools.release``: wheel, source archive, SBOM and checksums of a version, in ``dist/VERSION``.

Refused: a tree with changes, a commit without the tag ``vVERSION``, a changelog without a section of the version, a
folder that is there already, and a commit whose tests did not pass. ``make release`` runs them first, and ``--tested``
notes the commit that they passed on, in ``build/tested``. Nothing is uploaded.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.audit import pinned

ROOT = Path(__file__).resolve().parents[1]
TESTED = Path("build") / "tested"  # the commit on which every test passed
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class RefusedError(Exception):
    """Why there is no release, in a sentence."""


def git(root: Path, *words: str) -> str:
    """What git says in a checkout."""
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def version_of(root: Path) -> str:
    """As the engine says it."""
    said = VERSION.search((root / "engine" / "__init__.py").read_text(encoding="utf-8"))
    if said is None:
        raise RefusedError("engine/__init__.py names no version")
    return said[1]


def note_tested(root: Path) -> None:
    """Remember that every test passed on the commit that is checked out. Raises ``RefusedError`` beside changes."""
    if git(root, "status", "--porcelain"):
        raise RefusedError("the tree has changes: what was tested is no commit")
    file = root / TESTED
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(git(root, "rev-parse", "HEAD") + "\n", encoding="utf-8")


def check(root: Path, version: str) -> None:
    """Raise ``RefusedError`` unless this commit may be released as ``version``."""
    if git(root, "status", "--porcelain"):
        raise RefusedError("the tree has changes: commit them, or put them away")
    head = git(root, "rev-parse", "HEAD")
    if f"v{version}" not in git(root, "tag", "--points-at", "HEAD").split():
        raise RefusedError(f"this commit has no tag v{version}: git tag v{version}")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        raise RefusedError(f"CHANGELOG.md has no section {version}")
    tested = root / TESTED
    if not tested.is_file() or tested.read_text(encoding="utf-8").strip() != head:
        raise RefusedError("the tests were not seen to pass on this commit: make release")
    if (root / "dist" / version).exists():
        raise RefusedError(f"dist/{version} is there already")


def checksums(folder: Path) -> str:
    """A line a file, as ``sha256sum --check`` reads them."""
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def build(root: Path, folder: Path) -> None:
    """Wheel and source archive of the commit, from a copy of it: a build leaves traces."""
    with tempfile.TemporaryDirectory() as scratch:
        archive, source = Path(scratch) / "source.tar", Path(scratch) / "source"
        source.mkdir()
        git(root, "archive", "--output", str(archive), "HEAD")
        subprocess.run(["tar", "--extract", "--file", str(archive), "--directory", str(source)], check=True)
        for kind in ("wheel", "sdist"):
            code = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
            subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, check=True)


def sbom(root: Path, file: Path, version: str) -> None:
    """A CycloneDX list of the pinned packages that the release was tested with, and of the project itself."""
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "requirements.txt"
        pins.write_text(pinned((root / "requirements.txt").read_text(encoding="utf-8")), encoding="utf-8")
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(pins), "--pyproject", "pyproject.toml"]
        command += ["--output-reproducible", "--output-format", "JSON", "--output-file", str(file)]
        subprocess.run(command, cwd=root, capture_output=True, check=True)
    file.write_text(with_version(file.read_text(encoding="utf-8"), version), encoding="utf-8")


def with_version(text: str, version: str) -> str:
    """The list with the project's own version, which pyproject.toml leaves to the engine."""
    listed = json.loads(text)
    listed["metadata"]["component"]["version"] = version
    return json.dumps(listed, indent=2) + "\n"


def release(root: Path) -> Path:
    """The folder of the release. Raises ``RefusedError``."""
    version = version_of(root)
    check(root, version)
    folder = root / "dist" / version
    folder.mkdir(parents=True)
    build(root, folder)
    sbom(root, folder / f"aces_explorer-{version}.cdx.json", version)
    (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
    return folder


def main(words: list[str]) -> int:
    """``--tested`` notes that the tests passed; without a word, the release."""
    try:
        if words == ["--tested"]:
            note_tested(ROOT)
        elif words:
            raise RefusedError(f"unknown: {' '.join(words)[:200]}")
        else:
            print(release(ROOT))
    except RefusedError as error:
        print(f"no release: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
