"""`mingus preview`: text, HTML in the browser, segments and cost, before anything is sent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.database import transaction
from core.statements import rows
from delivery.catalog import catalog
from tests.delivery.stage import person


@pytest.fixture
def maya(people) -> None:
    people(person("Maya", 101), person("Sofia", 102, locale="es_US"))


def preview(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["preview", *words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("name", list(catalog()))
def test_every_type_is_shown_with_its_cost_on_each_of_its_channels(maya, name):
    shown = preview(name, "--user", "user_maya", "--no-open")
    for channel in catalog()[name].channels:
        assert f"{channel} · 1 × unit" in shown
    assert ("GSM-7" in shown) == ("sms" in catalog()[name].channels)
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM notifications") == [(0,)]


def test_the_html_opens_in_the_browser(maya, tmp_path):
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)

    subprocess.run(
        [sys.executable, "-c", "from cli.main import app; app()", "preview", "payment_reminder", "--user", "user_sofia"],
        check=True, env=os.environ | {"BROWSER": f"{browser} %s"}, timeout=120, stdout=subprocess.DEVNULL,
    )  # fmt: skip

    page = Path(opened.read_text().strip().removeprefix("file://"))
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "Rent vence pronto" in html


def test_a_payload_of_ones_own_shows_what_the_first_text_costs_more(maya):
    words = "x" * 150
    shown = preview(
        "payment_reminder",
        "--user",
        "user_maya",
        "--no-open",
        "--payload",
        f'{{"template": "[bold]{words}"}}',
    )
    assert f"[bold]{words}" in shown  # not the terminal's markup; each bracket costs two
    assert "sms · 1 × unit, GSM-7 158 units · 0.0075 USD" in shown
    assert "The first one that a person gets ends with “Reply STOP to opt out”: 2 × unit, 0.0150 USD" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tea_time", "--user", "user_maya"], "message_type"),
        (["payment_reminder", "--user", "user_nobody"], "no user 'user_nobody'"),
        (["payment_reminder", "--user", "user_maya", "--payload", "{"], "is not JSON"),
        (["payment_reminder", "--user", "user_maya", "--payload", "[1]"], "must be a JSON object"),
        (
            ["payment_reminder", "--user", "user_maya", "--payload", '{"template": "{a.b}"}'],
            "{a.b} is not allowed",
        ),
    ],
)
def test_what_can_not_be_shown_is_said_in_one_line(maya, words, said):
    told = preview(*words, code=1)
    assert said in told
    assert "Traceback" not in told
