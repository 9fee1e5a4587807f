"""Where a stack runs: its folder, ports, secrets and the environment of all its processes."""

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.stack.errors import StackError
from cli.stack.record import write_private
from core.embedded import ServerCommand, free_ports, postgres_command, redis_command
from core.embedded.ports import port_is_free
from core.settings import SANDBOX_ACCOUNT_SID

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
POOL = "mingus"
KEPT = "site.json"
LISTENERS = ("postgres", "redis", "sandbox", "web", "prefect", "flower")

# Real credentials come in whole sets; a part of one is a mistake, not a wish for the sandbox.
CREDENTIALS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "twilio": (
        ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"),
        ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_MESSAGING_SERVICE_SID"),
    ),
    "resend": (("RESEND_API_KEY",),),
}
GIVEN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "PUBLIC_BASE_URL")
# The sandbox believes in the credentials that the product was given, and calls back where its web app listens.
SANDBOX_BELIEVES = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "RESEND_API_KEY", "RESEND_WEBHOOK_SECRET")
WEBHOOKS: Mapping[str, str] = {
    "RESEND_WEBHOOK_URL": "/webhooks/resend",
    "TWILIO_INBOUND_URL": "/webhooks/twilio/inbound",
}
SERVER_URLS: Mapping[str, str] = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
QUIET_PREFECT: Mapping[str, str] = {  # nothing phones home, nothing looks for newer versions
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_CLI_COLORS": "false",
}


@dataclass(frozen=True, slots=True)
class Site:
    """One stack's place: `modes` says for each part whether it is real, embedded or the sandbox."""

    root: Path
    var: Path
    ports: Mapping[str, int]
    modes: Mapping[str, str]
    urls: Mapping[str, str]
    servers: Mapping[str, ServerCommand] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)  # what the stack says of itself: `mingus env` exports it
    inherited: Mapping[str, str] = field(repr=False)  # what else its processes get from the caller

    @property
    def child_env(self) -> dict[str, str]:
        """The whole environment of a process of the stack; this interpreter's programs come first on its PATH."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.inherited.get('PATH', os.defpath)}"
        return {**self.inherited, **self.env, "PATH": path, "PYTHONUNBUFFERED": "1"}


def make_site(var: Path, environ: Mapping[str, str]) -> Site:
    """Finds ports, makes or re-reads secrets, and decides between real services and local ones by `environ`.

    What a shell still holds of an earlier stack here (`eval "$(mingus env)"`) is no wish for a real service.
    Raises StackError naming the missing variable of a half-given set of credentials.
    """
    var = var.resolve()
    kept = _kept(var)
    ports, kept_secrets = _ports(kept["ports"]), _fresh_secrets() | kept["secrets"]
    inherited = {name: value for name, value in environ.items() if kept["exported"].get(name, ...) != value}
    given = {name: value for name, value in inherited.items() if value}
    modes = {
        "postgres": "real" if "DATABASE_URL" in given else "embedded",
        "redis": "real" if "REDIS_URL" in given else "embedded",
        **{provider: _mode(provider, given) for provider in CREDENTIALS},
    }
    http = {name: f"http://{HOST}:{ports[name]}" for name in ("sandbox", "web", "prefect", "flower")}
    env = {
        "MINGUS_VAR": str(var),
        "PUBLIC_BASE_URL": http["web"],
        "PREFECT_HOME": str(var / "prefect"),
        "PREFECT_API_URL": f"{http['prefect']}/api",
        "PREFECT_API_AUTH_STRING": kept_secrets["prefect"],
        "PREFECT_SERVER_API_AUTH_STRING": kept_secrets["prefect"],
        "PREFECT_UI_STATIC_DIRECTORY": str(var / "prefect" / "ui"),
        "PREFECT_DEFAULT_WORK_POOL_NAME": POOL,
        **QUIET_PREFECT,
    }
    if modes["twilio"] == "sandbox":
        env |= {
            "TWILIO_ACCOUNT_SID": SANDBOX_ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": kept_secrets["twilio"],
            "TWILIO_PHONE_NUMBER": "+15005550006",
            "MINGUS_TWILIO_BASE_URL": http["sandbox"],
        }
    if modes["resend"] == "sandbox":
        env |= {
            "RESEND_API_KEY": kept_secrets["resend"],
            "RESEND_WEBHOOK_SECRET": kept_secrets["resend_webhook"],
            "MINGUS_RESEND_BASE_URL": http["sandbox"],
        }
    if "sandbox" in modes.values():
        env |= {f"SANDBOX_{name}": env[name] for name in SANDBOX_BELIEVES if name in env}
        env |= {
            f"SANDBOX_{name}": (given.get("PUBLIC_BASE_URL") or http["web"]) + path
            for name, path in WEBHOOKS.items()
        }
    servers = _servers(var, ports, modes)
    env |= {SERVER_URLS[name]: server.url for name, server in servers.items()}
    env |= {name: given[name] for name in GIVEN if name in given}
    env = {"CELERY_BROKER_URL": env["REDIS_URL"], "CELERY_RESULT_BACKEND": env["REDIS_URL"]} | env
    urls = {
        "web": env["PUBLIC_BASE_URL"],
        "prefect": http["prefect"],
        "flower": http["flower"],
        **({"sandbox": f"{http['sandbox']}/"} if "sandbox" in modes.values() else {}),
    }
    _keep(var, ports=ports, secrets=kept_secrets, exported=env)
    return Site(
        root=ROOT, var=var, ports=ports, modes=modes, urls=urls, servers=servers, env=env, inherited=inherited
    )


def _servers(var: Path, ports: Mapping[str, int], modes: Mapping[str, str]) -> dict[str, ServerCommand]:
    """Prepares the files of the servers that are not given from outside."""
    servers = {}
    if modes["postgres"] == "embedded":
        servers["postgres"] = postgres_command(var / "postgres", port=ports["postgres"])
    if modes["redis"] == "embedded":
        servers["redis"] = redis_command(var / "redis", port=ports["redis"])
    return servers


def _mode(provider: str, given: Mapping[str, str]) -> str:
    sets = CREDENTIALS[provider]
    if any(all(name in given for name in names) for names in sets):
        return "real"
    present = [name for name in sets[0] if name in given]
    if not present:
        return "sandbox"
    missing = ", ".join(name for name in sets[0] if name not in given)
    raise StackError(
        f"{present[0]} is in the environment without {missing}: give all of them to send through {provider} "
        "for real, or none of them for the sandbox."
    )


def _kept(var: Path) -> dict[str, dict[str, Any]]:
    """What earlier starts in this folder decided, so that addresses and secrets stay the same."""
    file = var / KEPT
    kept = json.loads(file.read_text()) if file.exists() else {}
    return {"ports": {}, "secrets": {}, "exported": {}} | kept


def _keep(var: Path, **decided: Mapping[str, Any]) -> None:
    write_private(var / KEPT, json.dumps(decided, indent=2))


def _ports(kept: Mapping[str, int]) -> dict[str, int]:
    """The kept ports; one that was taken meanwhile is found anew."""
    fresh = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
    return {
        name: kept[name] if name in kept and port_is_free(kept[name]) else fresh[name] for name in LISTENERS
    }


def _fresh_secrets() -> dict[str, str]:
    return {
        "prefect": f"mingus:{secrets.token_hex(8)}",
        "twilio": secrets.token_hex(16),
        "resend": f"re_{secrets.token_hex(16)}",
        "resend_webhook": f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
    }
