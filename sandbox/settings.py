"""What the sandbox is told at its start: flags, each with an environment variable of the same meaning."""

import argparse
import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Public values of a simulator: they open nothing but the sandbox itself.
DEFAULT_ACCOUNT_SID = "AC" + "5a" * 16
DEFAULT_AUTH_TOKEN = "sandbox-auth-token"  # noqa: S105  (not a secret: known to everybody who reads this)
DEFAULT_API_KEY = "re_sandbox"
DEFAULT_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"sandbox-webhook-secret-32-bytes!").decode()


class SettingsError(ValueError):
    """A flag or variable holds a value that the sandbox can't use; the text names it and the mend."""


@dataclass(slots=True)
class Settings:
    """The sandbox's settings; the two webhook URLs may be changed while it runs."""

    host: str = "127.0.0.1"
    port: int = 8090
    data: Path = Path("var/sandbox")
    twilio_account_sid: str = DEFAULT_ACCOUNT_SID
    twilio_auth_token: str = DEFAULT_AUTH_TOKEN
    resend_api_key: str = DEFAULT_API_KEY
    resend_webhook_secret: str = DEFAULT_WEBHOOK_SECRET
    resend_webhook_url: str = ""
    twilio_inbound_url: str = ""
    callback_delay_ms: int = 200
    resend_rate_limit: int = 1000
    idempotency_ttl_s: float = 86_400.0
    refuse_example_domains: bool = False
    tls_cert: str = ""
    tls_key: str = ""

    @property
    def callback_delay_s(self) -> float:
        """Seconds between two statuses of one message."""
        return self.callback_delay_ms / 1000


@dataclass(frozen=True, slots=True)
class Option:
    """One flag, its environment variable and what it means."""

    field: str
    variable: str
    meaning: str

    @property
    def flag(self) -> str:
        """The command-line spelling of the field."""
        return "--" + self.field.replace("_", "-")


OPTIONS = (
    Option("host", "SANDBOX_HOST", "address to listen on"),
    Option("port", "SANDBOX_PORT", "port to listen on; 0 lets the system choose"),
    Option("data", "SANDBOX_DATA", "folder of the ledger"),
    Option("twilio_account_sid", "SANDBOX_TWILIO_ACCOUNT_SID", "account that may send SMS"),
    Option("twilio_auth_token", "SANDBOX_TWILIO_AUTH_TOKEN", "its token; also signs Twilio webhooks"),
    Option("resend_api_key", "SANDBOX_RESEND_API_KEY", "key that may send email"),
    Option(
        "resend_webhook_secret", "SANDBOX_RESEND_WEBHOOK_SECRET", "whsec_ + base64; signs Resend webhooks"
    ),
    Option("resend_webhook_url", "SANDBOX_RESEND_WEBHOOK_URL", "where Resend events are posted"),
    Option("twilio_inbound_url", "SANDBOX_TWILIO_INBOUND_URL", "where inbound SMS are posted"),
    Option("callback_delay_ms", "SANDBOX_CALLBACK_DELAY_MS", "milliseconds between two statuses"),
    Option("resend_rate_limit", "SANDBOX_RESEND_RATE_LIMIT", "Resend requests per second before a 429"),
    Option("idempotency_ttl_s", "SANDBOX_IDEMPOTENCY_TTL_S", "seconds an Idempotency-Key is remembered"),
    Option(
        "refuse_example_domains",
        "SANDBOX_REFUSE_EXAMPLE_DOMAINS",
        "refuse example.com and test.com as Resend does",
    ),
    Option("tls_cert", "SANDBOX_TLS_CERT", "PEM certificate: serve TLS"),
    Option("tls_key", "SANDBOX_TLS_KEY", "PEM key of the certificate"),
)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from flags, else environment, else defaults; raises SettingsError naming the bad one."""
    parser = argparse.ArgumentParser("python -m sandbox", description="Simulator of Twilio and Resend.")
    for option in OPTIONS:
        parser.add_argument(option.flag, dest=option.field, help=f"{option.meaning} [{option.variable}]")
    given = vars(parser.parse_args(arguments))
    settings = Settings()
    for option in OPTIONS:
        raw = given[option.field] if given[option.field] is not None else environment.get(option.variable)
        if raw is not None:
            setattr(settings, option.field, _convert(option, raw, type(getattr(settings, option.field))))
    _check(settings)
    return settings


def _convert(option: Option, raw: str, kind: Any) -> object:
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}[
                raw.lower()
            ]
        if issubclass(kind, Path):
            return Path(raw)
        return kind(raw)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"{option.flag} ({option.variable}): {raw!r} is no {kind.__name__}") from error


def _check(settings: Settings) -> None:
    try:
        signing_key(settings.resend_webhook_secret)
    except ValueError as error:
        raise SettingsError(f"--resend-webhook-secret (SANDBOX_RESEND_WEBHOOK_SECRET): {error}") from error
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingsError("--tls-cert and --tls-key: give both or neither")
    for field in ("callback_delay_ms", "resend_rate_limit", "idempotency_ttl_s", "port"):
        if getattr(settings, field) < 0:
            raise SettingsError(f"--{field.replace('_', '-')}: must not be negative")


def signing_key(secret: str) -> bytes:
    """The bytes behind a `whsec_…` secret (base64, padding optional); ValueError when it is none."""
    if not secret.startswith("whsec_"):
        raise ValueError("must begin with whsec_")
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64 after whsec_") from error
    if not key:
        raise ValueError("must not be empty")
    return key
