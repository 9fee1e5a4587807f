import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cli.stack import Process, Stack
from cli.stack.probes import http_ok, prefect_worker_online
from cli.stack.process import at_once
from cli.stack.site import HOST, POOL
from cli.stack.table import WORKERS, servers
from core.embedded.running import tail
from core.settings import Settings, load_settings, variable_names

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
ONE_SHOTS = {name for name, service in OURS.items() if service["restart"] == "on-failure"}
BARE = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
PORTS = {"8000": "web", "5555": "flower", "4200": "prefect"}


def on_this_machine(argv, site):
    """A container's command line as this machine runs it: our interpreter's programs, loopback, this stack's ports."""
    program = (
        [sys.executable] if argv[0] == "python" else [shutil.which(argv[0], path=site.child_env["PATH"])]
    )
    words = [word.replace("0.0.0.0", HOST).replace("$$", "$") for word in argv[1:]]
    for container, name in PORTS.items():
        words = [re.sub(rf"\b{container}\b", str(site.ports[name]), word) for word in words]
    return (*program, *(word.replace("var/", f"{site.var}/") for word in words))


def is_healthy(service, site):
    """Whether the service's own health check, run here, says yes."""
    kind, *test = service["healthcheck"]["test"]
    command = on_this_machine(["sh", "-c", *test] if kind == "CMD-SHELL" else test, site)
    env = site.child_env | {"HOSTNAME": socket.gethostname()}
    return subprocess.run(command, check=False, env=env, cwd=ROOT, capture_output=True).returncode == 0


def as_table(site):
    """The compose file's own services as rows: their commands, their needs, their health checks."""
    probes = {
        "prefect-server": http_ok(f"{site.urls['prefect']}/api/health"),
        "prefect-worker": prefect_worker_online(
            site.env["PREFECT_API_URL"], site.env["PREFECT_API_AUTH_STRING"], POOL
        ),
    }
    return (
        *servers(site),
        *(
            Process(
                name,
                on_this_machine(service["command"], site),
                needs=tuple(service["depends_on"]),
                once=name in ONE_SHOTS,
                ready=probes.get(name, at_once),
            )
            for name, service in OURS.items()
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_service_s_command_and_health_check_run_as_local_processes(server_home):
    with Stack(server_home, environ=BARE, table=as_table) as stack:
        for name in OURS.keys() - ONE_SHOTS:
            assert stack.state(name).name == "RUNNING", name
        for name, service in OURS.items():
            if "healthcheck" in service:
                wait_until_healthy(name, service, stack)


def wait_until_healthy(name, service, stack):
    until = time.monotonic() + 60
    while not is_healthy(service, stack.site):
        assert time.monotonic() < until, f"{name}\n{tail(stack.log(name))}"
        time.sleep(0.5)


def test_every_lane_has_the_same_worker_as_on_one_machine():
    def options(argv):
        return argv[argv.index("-Q") :]

    workers = {
        name: options(service["command"])
        for name, service in OURS.items()
        if {"celery", "worker"} <= set(service["command"])
    }
    assert {name: argv[: len(WORKERS[name])] for name, argv in workers.items()} == {
        name: list(argv) for name, argv in WORKERS.items()
    }


def test_the_environment_of_the_services_satisfies_production_s_settings(monkeypatch):
    given = OURS["critical"]["environment"]
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    values = {"MINGUS_SEALING_KEYS": f"k1:{key}", "MINGUS_INDEX_KEY": key, "MINGUS_LINK_KEY": key}
    for name in variable_names().values():
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        default = re.search(r":-(.*)}", value)
        plain = re.sub(r"\$\{[^}]*}", default[1] if default else "x", value)
        monkeypatch.setenv(name, values.get(name, plain))
    assert isinstance(load_settings(), Settings)
    assert load_settings().environment == "production"
    foreign = set(given) - set(variable_names().values())
    assert all(name.startswith("PREFECT_") or name == "DO_NOT_TRACK" for name in foreign), foreign


def test_redis_is_a_line_without_the_known_hole():
    version = COMPOSE["services"]["redis"]["image"].partition(":")[2]
    assert tuple(map(int, version.split("."))) >= (8, 10, 1)


def test_nothing_but_loopback_is_published():
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
