"""``python -m tools.audit``: bandit over the program, pip-audit over the pinned packages.

A finding of either is exit status 1. Where pip-audit reaches no service that knows vulnerabilities it says so, and
that is none: what could not be asked is not clean, and not a fault of the change under test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Known and out of reach. Each has its sentence in SECURITY.md, and the test that shows it.
OUT_OF_REACH = {"CVE-2025-69872": "tests/cache/test_entries.py"}
SECONDS = 300


def pinned(text: str) -> str:
    """The lines of a requirements file that pin a package: neither comments, options nor the project itself."""
    return "".join(
        f"{line.strip()}\n" for line in text.splitlines() if "==" in line and not line.startswith(("#", "-"))
    )


def found(answer: dict[str, Any]) -> tuple[list[str], set[str]]:
    """``package version: id`` of every vulnerability in pip-audit's JSON, and which of those out of reach it names."""
    lines, known = [], set()
    for package in answer["dependencies"]:
        for one in package.get("vulns", []):
            names = OUT_OF_REACH.keys() & {one["id"], *one.get("aliases", [])}
            known |= names
            if not names:
                lines.append(f"{package['name']} {package['version']}: {one['id']}")
    return lines, known


def bandit() -> int:
    """Its exit status; what it finds it says itself."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive"]
    status = subprocess.run([*command, "engine", "app", "cache"], cwd=ROOT, check=False).returncode
    print("bandit: nothing found" if status == 0 else "bandit: see above")
    return status


def pip_audit() -> int:
    """1 where a pinned package has a known vulnerability; 0 where none has, or nobody could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(pinned((ROOT / "requirements.txt").read_text(encoding="utf-8")), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            print(f"pip-audit: NOT CHECKED, no answer within {SECONDS} seconds")
            return 0
    return judge(done.stdout, done.stderr)


def judge(out: str, err: str) -> int:
    """The exit status for what pip-audit said; it prints what that means."""
    try:
        lines, seen = found(json.loads(out))
    except (ValueError, KeyError, TypeError, AttributeError):
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        print(f"pip-audit: NOT CHECKED, its service gave no answer ({last[:200]})")
        return 0
    if not lines and seen != set(OUT_OF_REACH):  # a mirror may list packages and know nothing of them
        unheard = ", ".join(OUT_OF_REACH.keys() - seen)
        print(f"pip-audit: NOT CHECKED, its service answered and has not heard of {unheard}")
        return 0
    known = ", ".join(f"{name} is out of reach, {test}" for name, test in OUT_OF_REACH.items())
    print("\n".join(f"pip-audit: {line}" for line in lines) or f"pip-audit: nothing found ({known})")
    return int(bool(lines))


def main() -> int:
    """Both, also where the first found something."""
    return max(bandit(), pip_audit())


if __name__ == "__main__":
    raise SystemExit(main())
