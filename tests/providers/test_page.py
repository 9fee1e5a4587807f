"""docs/adding-a-provider.md stays true: its table is the registry, and what it names exists."""

import re
from pathlib import Path

from delivery.providers import REGISTRY
from tests.providers.people import given_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-provider.md").read_text(encoding="utf-8")


def test_the_table_of_providers_is_the_registry():
    rows = dict(re.findall(r"^\| (\w+) \| (SMS|email) \|", PAGE, flags=re.MULTILINE))
    every = {name: make(given_settings()) for name, make in REGISTRY.items()}

    assert rows == {name: {"sms": "SMS", "email": "email"}[one.channel] for name, one in every.items()}
    for name, one in every.items():
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
        assert ("one each" in line) == (one.batch_size == 1)
        assert line.split("|")[4].strip().startswith("no") != one.idempotent


def test_every_file_that_the_page_names_exists():
    named = re.findall(r"`((?:delivery|tests|core)/[\w/]+\.py)`", PAGE)

    assert len(named) >= 5
    for file in named:
        assert (ROOT / file).exists(), file
