import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cli.stack import Process, Stack, StackError, StackRunningError, StartFailedError, make_site, processes
from cli.stack.leftovers import leftovers, sweep
from cli.stack.probes import http_ok

ROOT = Path(__file__).resolve().parents[2]
BARE = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
GIVEN = BARE | {
    "DATABASE_URL": "postgresql://given",
    "REDIS_URL": "redis://given",
}  # no servers: these tests are quick

SERVE = "import http.server, sys; http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"

WAIT = (
    "import os, time, pathlib; "
    "assert pathlib.Path(os.environ['MINGUS_VAR'], 'stocked').exists(); time.sleep(600)"
)


def shop(site):
    """A small table of every kind of row: a server, a one-shot after it, an idler after that."""
    return (
        Process(
            "shelf",
            (sys.executable, "-c", SERVE, str(site.ports["web"])),
            ready=http_ok(f"http://127.0.0.1:{site.ports['web']}/"),
        ),
        Process(
            "stock",
            (
                sys.executable,
                "-c",
                "import pathlib, os; pathlib.Path(os.environ['MINGUS_VAR'], 'stocked').touch()",
            ),
            needs=("shelf",),
            once=True,
        ),
        Process(
            "clerk",
            (sys.executable, "-c", WAIT),
            needs=("stock",),
        ),
    )


@pytest.fixture
def var(server_home):
    yield server_home
    sweep(server_home)


def wait_until(true, *, seconds=15):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def test_everything_comes_up_in_the_order_of_its_needs_and_nothing_is_left_after(var):
    order = []
    with Stack(var, environ=GIVEN, table=shop, report=lambda name, _seconds: order.append(name)) as stack:
        assert order == ["shelf", "stock", "clerk"]
        assert urllib.request.urlopen(stack.urls["web"]).status == 200
        record = json.loads((var / "stack.json").read_text())
        assert record["pids"]["clerk"] == stack.pid("clerk")
        assert record["ready"] is True
        assert (var / "stack.json").stat().st_mode & 0o077 == 0
        running = [psutil.Process(stack.pid(name)) for name in ("shelf", "clerk")]
    assert not any(process.is_running() for process in running)
    assert leftovers(var) == []
    assert not (var / "stack.json").exists()


def test_a_killed_process_is_started_again(var):
    with Stack(var, environ=GIVEN, table=shop) as stack:
        for _ in range(3):
            killed = stack.pid("clerk")
            stack.signal("clerk", signal.SIGKILL)
            stack.wait_ready("clerk", not_pid=killed)
            assert stack.pid("clerk") != killed


def test_a_restart_returns_when_the_process_answers_again(var):
    with Stack(var, environ=GIVEN, table=shop) as stack:
        before = stack.pid("shelf")
        stack.restart("shelf")
        assert urllib.request.urlopen(stack.urls["web"]).status == 200
        assert stack.pid("shelf") != before


def test_a_process_that_does_not_come_up_is_told_with_the_end_of_its_log(var):
    def broken(site):
        return (*shop(site), Process("till", (sys.executable, "-c", "raise SystemExit('out of coins')")))

    with pytest.raises(StartFailedError, match=r"till did not come up[\s\S]*out of coins"):
        Stack(var, environ=GIVEN, table=broken).start()
    assert leftovers(var) == []


def test_a_one_shot_that_fails_stops_the_start(var):
    def broken(_site):
        return (
            Process("stock", (sys.executable, "-c", "raise SystemExit('no goods')"), once=True),
            Process("clerk", (sys.executable, "-c", "raise SystemExit('never started')"), needs=("stock",)),
        )

    with pytest.raises(StartFailedError, match=r"stock did not come up[\s\S]*no goods"):
        Stack(var, environ=GIVEN, table=broken).start()


def test_a_part_of_the_table_brings_what_it_needs(var):
    with Stack(var, environ=GIVEN, table=shop, only=["stock"]) as stack:
        assert stack.names() == ("shelf", "stock")
        with pytest.raises(StackError, match="No process is named 'clerk': choose one of shelf, stock"):
            stack.pid("clerk")


def test_a_second_stack_in_the_same_folder_is_refused_and_a_later_one_keeps_the_ports(var):
    with Stack(var, environ=GIVEN, table=shop, only=["shelf"]) as stack:
        ports = stack.site.ports
        with pytest.raises(StackRunningError, match="mingus down"):
            Stack(var, environ=GIVEN, table=shop).start()
    with Stack(var, environ=GIVEN, table=shop, only=["shelf"]) as stack:
        assert stack.site.ports == ports


def test_the_socket_fits_below_a_folder_with_a_very_long_name(server_home):
    var = server_home / ("a-rather-long-name " * 8).strip() / "100% ours"
    with Stack(var, environ=GIVEN, table=shop, only=["shelf"]) as stack:
        assert stack.pid("shelf")


OWNER = """
import sys, time, pathlib
sys.path.insert(0, sys.argv[2])
from test_stack import GIVEN, shop
from cli.stack import Stack
with Stack(pathlib.Path(sys.argv[1]), environ=GIVEN, table=shop) as stack:
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def owner(var):
    """Another process that runs the shop, to be killed."""
    running = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(var), str(Path(__file__).parent)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert running.stdout.readline() == b"up\n"
    yield running
    running.stdout.close()
    with suppress(ProcessLookupError):
        running.kill()
    running.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_nothing_is_left_when_the_owner_is_killed(var, owner):
    assert len(leftovers(var)) >= 3
    owner.kill()
    wait_until(lambda: leftovers(var) == [])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_nothing_is_left_when_the_supervisor_is_killed(var, owner):
    os.kill(json.loads((var / "stack.json").read_text())["supervisor"], signal.SIGKILL)
    wait_until(lambda: leftovers(var) == [])


def test_the_next_start_clears_what_is_left_and_touches_nothing_else(var):
    idle = [sys.executable, "-c", "import time; time.sleep(600)"]
    left = subprocess.Popen(idle, env=BARE | {"MINGUS_STACK": str(var)})
    neighbour = subprocess.Popen(idle, env=BARE | {"MINGUS_STACK": f"{var}-2"})
    with Stack(var, environ=GIVEN, table=shop, only=["shelf"]):
        left.wait(5)
        assert neighbour.poll() is None
    neighbour.kill()
    neighbour.wait()


@pytest.mark.parametrize(
    ("environ", "modes"),
    [
        ({}, {"twilio": "sandbox", "resend": "sandbox"}),
        ({"RESEND_API_KEY": "re_live"}, {"twilio": "sandbox", "resend": "real"}),
        (
            {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_PHONE_NUMBER": "+14155550100"},
            {"twilio": "real", "resend": "sandbox"},
        ),
        (
            {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_MESSAGING_SERVICE_SID": "MG1"},
            {"twilio": "real", "resend": "sandbox"},
        ),
    ],
)
def test_real_credentials_choose_the_real_provider_each_for_itself(var, environ, modes):
    site = make_site(var, GIVEN | environ)
    assert {name: site.modes[name] for name in modes} == modes
    for provider, mode in modes.items():
        assert (f"MINGUS_{provider.upper()}_BASE_URL" in site.env) is (mode == "sandbox")
        assert site.child_env.items() >= environ.items()


def test_half_a_set_of_credentials_is_a_mistake_that_names_the_rest(var):
    with pytest.raises(
        StackError, match=r"TWILIO_ACCOUNT_SID .* without TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER"
    ):
        make_site(var, GIVEN | {"TWILIO_ACCOUNT_SID": "AC1"})


def test_a_shell_that_still_holds_an_earlier_stack_s_exports_asks_for_nothing_real(var):
    first = make_site(var, BARE)
    again = make_site(var, BARE | dict(first.env))
    assert (
        again.modes
        == first.modes
        == dict.fromkeys(("postgres", "redis", "twilio", "resend"), "embedded")
        | dict.fromkeys(("twilio", "resend"), "sandbox")
    )


def test_given_servers_are_used_and_none_is_started(var):
    site = make_site(var, GIVEN)
    assert site.modes["postgres"] == site.modes["redis"] == "real"
    assert site.env["CELERY_BROKER_URL"] == "redis://given"
    assert {"postgres", "redis"}.isdisjoint(process.name for process in processes(site))


def test_the_product_s_table_names_each_need_above_the_row_that_needs_it(var):
    above = set()
    for process in processes(make_site(var, BARE)):
        assert above.issuperset(process.needs), process.name
        above.add(process.name)
