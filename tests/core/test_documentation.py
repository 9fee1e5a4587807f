"""The documents say what the code does: settings, commands, make targets, and the files that the README walks through."""

import re
import subprocess
from pathlib import Path

import pytest

from cli.settings_table import markdown

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_configuration_page_is_what_the_settings_say():
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == markdown(), (
        "run: mingus settings > docs/configuration.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:core|delivery|tasks|flows|analytics|web|cli|sandbox|tests|docs|migrations|benchmarks|deploy)/[\w./-]+\.\w+)`",
        text,
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    links = re.findall(r"\]\((?!http|#|mailto)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", README)) <= targets


def test_no_committed_file_holds_an_index_address():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in listed:
        if re.search(r"(requirements|lock|pip\.conf|npmrc)", name):
            text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text), name
