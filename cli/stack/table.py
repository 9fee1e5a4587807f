"""What runs: one row per process, in the order of their needs. To add a part, add its row."""

import sys
from collections.abc import Mapping

from cli.stack.probes import CeleryNodes, http_ok, prefect_worker_online
from cli.stack.process import Process, Tier
from cli.stack.site import HOST, POOL, Site
from core.embedded import postgres_is_ready, redis_is_ready

# worker → its queues and its size: a lane has its own worker, so that no bulk delays an alert or the relay.
# Sixteen threads hold alerts that wait for a delivery, of which four at most are under way (`tasks/delivering.py`).
WORKERS: Mapping[str, tuple[str, ...]] = {
    "critical": ("-Q", "sms_critical", "--pool", "threads", "-c", "16"),
    "daily": ("-Q", "sms_daily", "--pool", "threads", "-c", "4"),
    "email": ("-Q", "email_reports,email_education", "--pool", "threads", "-c", "4"),
    "housekeeping": ("-Q", "housekeeping", "--pool", "threads", "-c", "6"),
}


def processes(site: Site) -> tuple[Process, ...]:
    """The product's whole table on one machine; every row stands below those that it needs."""
    listen = (f"--host={HOST}",)
    nodes = CeleryNodes(env=site.child_env, cwd=site.root)
    celery = _python("celery", "-A", "tasks")
    ports, urls = site.ports, site.urls
    embedded = servers(site)
    sandbox = _sandbox(site)
    stores = tuple(row.name for row in embedded)
    return (
        *embedded,
        *sandbox,
        Process("migrate", _python("alembic", "upgrade", "head"), needs=stores, once=True),
        *(
            Process(
                name,
                (
                    *celery,
                    "worker",
                    "-n",
                    f"{name}@%h",
                    *options,
                    "--without-gossip",
                    "--without-mingle",
                    "-l",
                    "INFO",
                ),
                needs=("migrate", *(row.name for row in sandbox)),
                ready=nodes.answers(name),
                stop_seconds=30,
            )
            for name, options in WORKERS.items()
        ),
        Process(
            "beat",
            (
                *celery,
                "beat",
                "--schedule",
                str(site.var / "celerybeat-schedule"),
                "--pidfile=",
                "-l",
                "INFO",
            ),
            needs=("migrate",),
        ),
        Process(
            "web",
            _python("uvicorn", "web.app:app", *listen, f"--port={ports['web']}", "--no-access-log"),
            needs=("migrate",),
            ready=http_ok(f"http://{HOST}:{ports['web']}/healthz"),
        ),
        Process(
            "flower",
            (*celery, "flower", f"--address={HOST}", f"--port={ports['flower']}"),
            needs=stores,
            ready=http_ok(f"{urls['flower']}/healthcheck"),
        ),
        Process(
            "prefect-server",
            _python("prefect", "server", "start", *listen, f"--port={ports['prefect']}"),
            ready=http_ok(f"{urls['prefect']}/api/health"),
            tier=Tier.SERVICES,
        ),
        Process(
            "prefect-worker",
            _python("prefect", "worker", "start", f"--pool={POOL}", "--type=process", "--limit=2"),
            needs=("prefect-server", "migrate"),
            ready=prefect_worker_online(
                site.env["PREFECT_API_URL"], site.env["PREFECT_API_AUTH_STRING"], POOL
            ),
            stop_seconds=30,
        ),
        Process(
            "prefect-deploy",
            _python("prefect", "--no-prompt", "deploy", "--all"),
            needs=("prefect-worker",),
            once=True,
        ),
    )


def servers(site: Site) -> tuple[Process, ...]:
    """The embedded servers: those that the environment does not give."""
    probes = {"postgres": postgres_is_ready, "redis": redis_is_ready}
    return tuple(Process.of_server(name, server, ready=probes[name]) for name, server in site.servers.items())


def _sandbox(site: Site) -> tuple[Process, ...]:
    """The provider sandbox, unless both providers are real."""
    if "sandbox" not in site.urls:
        return ()
    return (
        Process(
            "sandbox",
            _python(
                "sandbox",
                f"--host={HOST}",
                f"--port={site.ports['sandbox']}",
                f"--data={site.var / 'sandbox'}",
            ),
            ready=http_ok(f"{site.urls['sandbox']}_sandbox/healthz"),
            tier=Tier.SERVICES,
        ),
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
