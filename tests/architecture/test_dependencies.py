"""Every package is pinned, and docs/dependencies.md says in one line why it is here."""

import re

import pytest

from tests.architecture.sources import ROOT

FILES = ("requirements.txt", "requirements-dev.txt", "connectors/systems/tryton/requirements-tryton.txt")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(\[[a-zA-Z0-9,_-]+\])?==[^\s;]+(\s*;.*)?$")


def _lines(name: str) -> list[str]:
    path = ROOT / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [text for line in lines if (text := line.split("#")[0].strip()) and not text.startswith("-r ")]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_to_one_version(name: str) -> None:
    assert [line for line in _lines(name) if not PINNED.match(line)] == []


def test_every_package_has_a_line_that_says_why_and_no_line_outlives_its_package() -> None:
    pinned = {PINNED.match(line)[1].lower() for name in FILES for line in _lines(name)}
    table = (ROOT / "docs" / "dependencies.md").read_text()
    explained = {name.lower() for name in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}
    assert pinned - explained == set(), "packages without a line"
    assert explained - pinned == set(), "lines without a package"
