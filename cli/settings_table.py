"""`mingus settings`: every setting as a table; the same text stands in docs/configuration.md, held there by a test."""

from pydantic import SecretStr

from core.settings import Settings, variable_names
from core.vocabulary import Channel
from delivery.catalog import MESSAGE_TYPES

HEAD = """# Configuration

Everything is set by environment. A secret may come from a file instead: `NAME_FILE=/path`. A wrong value stops the
start with one line that names the variable. This page is `mingus settings`; a test keeps it so.

| variable | default | meaning |
|---|---|---|
"""
LIMITS = """
## Numbers of the message types

Messages per minute across all workers (`MINGUS_LIMIT_<TYPE>_<CHANNEL>`; 0 forbids the channel), retries
(`MINGUS_RETRIES_<TYPE>`), first backoff (`MINGUS_BACKOFF_SECONDS_<TYPE>`), lifetime (`MINGUS_LIFETIME_SECONDS_<TYPE>`)
and messages per person and day (`MINGUS_USER_DAILY_LIMIT_<TYPE>`):

| type | lane | sms / min | email / min | retries | backoff s | lifetime s | per person and day |
|---|---|---|---|---|---|---|---|
"""


def settings_table() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    print(markdown(), end="")


def markdown() -> str:
    """The page docs/configuration.md."""
    names = variable_names()
    rows = [
        f"| `{names[name]}` | {_shown(field.default if not field.is_required() else ...)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    limits = [
        f"| {row.name} | {row.lane} | {row.limits[Channel.SMS]} | {row.limits[Channel.EMAIL]} | {row.retries} |"
        f" {row.backoff.total_seconds():.0f} | {row.lifetime.total_seconds():.0f} | {row.user_daily_limit} |\n"
        for row in MESSAGE_TYPES
    ]
    return HEAD + "".join(rows) + LIMITS + "".join(limits)


def _shown(default: object) -> str:
    if default is ...:
        return "required"
    if isinstance(default, SecretStr) or (not default and not isinstance(default, int | float)):
        return "—"
    return f"`{default}`"
