"""docs/allowed-to-send.md says what the code does: the order, what each type needs, every reason."""

import re
from pathlib import Path

from core.vocabulary import Channel, ConsentLevel
from delivery.catalog import catalog
from delivery.policies import ORDER, SPENDING
from delivery.policies.reasons import Reason
from delivery.story import SENTENCES

PAGE = (Path(__file__).parents[2] / "docs/allowed-to-send.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The body rows of the first table below a heading."""
    below = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_policies_stand_in_their_order():
    assert [row[0].replace(" ", "_") for row in table("The order")] == [
        name for name, _ in (*ORDER, *SPENDING)
    ]


def test_what_each_type_needs_is_what_the_catalog_says():
    def needs(name: str) -> list[str]:
        row = catalog()[name]
        texts = row.allows(Channel.SMS)
        level = row.consent_level if row.consent_level is not ConsentLevel.NONE else ConsentLevel.EXPRESS
        hours = "yes" if row.window else "exempt"
        return [f"`{name}`", row.purpose, level if texts else "—", row.lawful_basis, hours if texts else "—"]

    assert table("What each message type needs") == [needs(name) for name in catalog()]


def test_every_reason_is_told_as_the_code_tells_it():
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.split("\n## Reasons\n", 1)[1], re.MULTILINE))
    assert told == {each.value: each.sentence for each in Reason} | {
        word: sentence for word, sentence in SENTENCES.items() if word
    }
