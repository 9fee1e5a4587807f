import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.stack.leftovers import leftovers, sweep

ROOT = Path(__file__).resolve().parents[2]
MINGUS = str(Path(sys.executable).with_name("mingus"))
BARE = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def mingus(*words, var, **kwargs):
    return subprocess.run(
        [MINGUS, *words, "--var", str(var)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=BARE,
        **kwargs,
    )


def _as_in_a_terminal():
    """A background job (as on a build machine) has SIGINT ignored, and its children inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("command", ["env", "status", "down"])
def test_a_command_that_needs_a_stack_says_in_one_line_that_none_runs(command, server_home):
    said = mingus(command, var=server_home)
    assert said.returncode == 1
    assert said.stdout == ""
    assert re.fullmatch(r"Nothing runs in .*\n", said.stderr)


def test_up_says_in_one_line_which_credential_is_missing(server_home):
    said = subprocess.run(
        [MINGUS, "up", "--var", str(server_home)],
        check=False, capture_output=True, text=True, cwd=ROOT, env=BARE | {"TWILIO_ACCOUNT_SID": "AC1"},
    )  # fmt: skip
    assert said.returncode == 1
    assert said.stderr.startswith("TWILIO_ACCOUNT_SID is in the environment without TWILIO_AUTH_TOKEN")
    assert said.stderr.count("\n") == 1


def test_make_help_lists_every_target():
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    said = subprocess.run(["make"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert set(re.findall(r"^  make (\S+)", said, re.MULTILINE)) == targets


def test_make_says_which_python_is_needed():
    said = subprocess.run(
        ["make", "PYTHON=false", "-W", "requirements.lock", "INSTALLED=.venv/.never", "setup"],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert said.returncode != 0
    assert "false is not suitable: Python 3.11 or later" in said.stderr


def test_ci_runs_exactly_make_test():
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"


@pytest.fixture
def start_up(server_home):
    """Starts `mingus up` as a person does and reads what it says up to a word."""
    started = []

    def start(until):
        running = subprocess.Popen(
            [MINGUS, "up", "--var", str(server_home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=BARE,
            preexec_fn=_as_in_a_terminal,  # noqa: PLW1509  two signal calls, no thread holds anything
        )
        started.append(running)
        said = ""
        for line in running.stdout:
            said += line
            if until in line:
                return running, said
        raise AssertionError(said)

    yield start
    for running in started:
        running.kill()
        running.stdout.close()
        running.wait()
    sweep(server_home)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_up_that_is_ended_while_it_starts_leaves_nothing(ending, start_up, server_home):
    running, _ = start_up(until="redis")
    assert len(leftovers(server_home)) > 2
    running.send_signal(ending)
    assert "Nothing is left running." in running.stdout.read()
    assert running.wait() == 0
    assert leftovers(server_home) == []


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_up_runs_everything_env_talks_to_it_and_nothing_is_left_even_when_it_is_killed(start_up, server_home):
    running, said = start_up(until="Ctrl-C stops everything")
    assert "twilio: sandbox: nothing leaves this machine" in said
    assert mingus("status", var=server_home).stdout.count("RUNNING") >= 11
    exports = mingus("env", var=server_home).stdout
    pinged = subprocess.run(
        ["bash", "-c", f'{exports}\n"{sys.executable}" -m celery -A tasks inspect ping'],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=BARE,
    )
    assert pinged.stdout.count("pong") == 4, pinged.stderr
    running.kill()
    until = time.monotonic() + 60
    while left := leftovers(server_home):
        assert time.monotonic() < until, left
        time.sleep(0.2)
