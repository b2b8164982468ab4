"""What is done around the project: an audit that finds and never invents, a release that is refused until it may be."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests import ROOT
from tools import audit, release

KNOWN = {"name": "diskcache", "version": "5.6.3", "vulns": [{"id": "GHSA-x", "aliases": ["CVE-2025-69872"]}]}
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
BAD = {"name": "numpy", "version": "2.4.6", "vulns": [{"id": "CVE-2099-1", "aliases": []}]}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([KNOWN, CLEAN], 0, "pip-audit: nothing found (CVE-2025-69872 is out of reach"),
        ([KNOWN, BAD], 1, "pip-audit: numpy 2.4.6: CVE-2099-1"),
        ([BAD], 1, "pip-audit: numpy 2.4.6: CVE-2099-1"),
        ([CLEAN], 0, "NOT CHECKED, its service answered and has not heard of CVE-2025-69872"),
        ([{"name": "local", "skip_reason": "not on PyPI"}, KNOWN], 0, "nothing found"),
    ],
)
def test_what_pip_audit_found_decides(capsys, packages, status, said):
    assert audit.judge(json.dumps({"dependencies": packages}), "") == status
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("out", ["", "no JSON", "[]", "{}", '{"dependencies": 5}'])
def test_a_service_that_cannot_be_reached_is_said_and_is_no_finding(capsys, out):
    assert audit.judge(out, "Traceback\nConnectionError: no route to host\n") == 0
    assert "NOT CHECKED" in capsys.readouterr().out


def test_what_is_out_of_reach_has_its_sentence_and_its_test():
    security = (ROOT / "SECURITY.md").read_text()
    for name, test in audit.OUT_OF_REACH.items():
        assert name in security
        assert test in security
        assert (ROOT / test).is_file()


def test_only_pinned_packages_are_asked_about():
    text = "# one==1\n-e .\n-r other.txt\nnumpy==2.4.6\n\npillow>=11\n"
    assert audit.pinned(text) == "numpy==2.4.6\n"
    assert audit.pinned((ROOT / "requirements.txt").read_text()).count("\n") > 50


@pytest.fixture
def checkout(tmp_path):
    """A commit that may be released as 1.2.3."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text('"""It."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3\n")
    (tmp_path / ".gitignore").write_text("/build/\n/dist/\n")
    for words in (
        ("init", "-q"),
        ("config", "user.name", "a"),
        ("config", "user.email", "a@example.org"),
        ("add", "."),
        ("commit", "-q", "-m", "one"),
        ("tag", "v1.2.3"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    release.note_tested(tmp_path)
    return tmp_path


def test_a_tagged_and_tested_commit_may_be_released(checkout):
    assert release.version_of(checkout) == "1.2.3"
    release.check(checkout, "1.2.3")


def commit(checkout, name: str, text: str) -> None:
    (checkout / name).write_text(text)
    for words in (("add", "."), ("commit", "-q", "-m", "two")):
        subprocess.run(["git", *words], cwd=checkout, check=True)


def test_changes_are_refused(checkout):
    (checkout / "new.txt").write_text("x")
    with pytest.raises(release.RefusedError, match="the tree has changes"):
        release.check(checkout, "1.2.3")
    with pytest.raises(release.RefusedError, match="what was tested is no commit"):
        release.note_tested(checkout)


def test_an_untested_commit_is_refused(checkout):
    commit(checkout, "new.txt", "x")
    subprocess.run(["git", "tag", "--force", "v1.2.3"], cwd=checkout, check=True, capture_output=True)
    with pytest.raises(release.RefusedError, match="not seen to pass on this commit"):
        release.check(checkout, "1.2.3")
    (checkout / release.TESTED).unlink()
    with pytest.raises(release.RefusedError, match="not seen to pass on this commit"):
        release.check(checkout, "1.2.3")


def test_a_commit_without_its_tag_or_its_section_is_refused(checkout):
    commit(checkout, "CHANGELOG.md", "# Changelog\n\n## 1.2.30\n")
    with pytest.raises(release.RefusedError, match=r"no tag v1\.2\.3"):
        release.check(checkout, "1.2.3")
    subprocess.run(["git", "tag", "--force", "v1.2.3"], cwd=checkout, check=True, capture_output=True)
    with pytest.raises(release.RefusedError, match=r"no section 1\.2\.3"):
        release.check(checkout, "1.2.3")


def test_nothing_is_written_over(checkout):
    (checkout / "dist" / "1.2.3").mkdir(parents=True)
    with pytest.raises(release.RefusedError, match="there already"):
        release.check(checkout, "1.2.3")


def test_checksums_are_those_that_sha256sum_reads(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"abc")
    text = release.checksums(tmp_path)
    assert text == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.whl\n"
    (tmp_path / "SHA256SUMS").write_text(text)
    assert release.checksums(tmp_path) == text


def test_unknown_words_are_one_line(capsys):
    assert release.main(["--publish"]) == 2
    assert capsys.readouterr().err == "no release: unknown: --publish\n"


def test_the_list_of_parts_says_the_projects_version():
    listed = json.loads(release.with_version('{"metadata": {"component": {"name": "x"}}, "components": []}', "1.2.3"))
    assert listed == {"metadata": {"component": {"name": "x", "version": "1.2.3"}}, "components": []}
