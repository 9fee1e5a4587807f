"""Addresses that make something happen: Resend's test addresses, and the sandbox's additions.

Source of the first four: resend.com/docs/dashboard/emails/send-test-emails. All take a `+label`.
"""

from dataclasses import dataclass, field
from typing import Any

DOMAIN = "resend.dev"
ACCOUNT_SUPPRESSED: dict[str, Any] = {
    "suppressed": {
        "message": (
            "Resend has suppressed sending to this address because it is on the account-level suppression list. "
            "This does not count toward your bounce rate metric"
        ),
        "type": "OnAccountSuppressionList",
    }
}


@dataclass(frozen=True, slots=True)
class Fate:
    """The events of an email in their order, and what the last one carries."""

    events: tuple[str, ...]
    detail: dict[str, Any] = field(default_factory=dict)


def bounce(kind: str, sub_type: str, message: str) -> Fate:
    """An email that comes back."""
    detail = {"type": kind, "subType": sub_type, "message": message, "diagnosticCode": message}
    return Fate(("sent", "bounced"), {"bounce": detail})


DELIVERED = Fate(("sent", "delivered"))
SUPPRESSED = Fate(("suppressed",), ACCOUNT_SUPPRESSED)
FATES: dict[str, Fate] = {
    "delivered": DELIVERED,
    "bounced": bounce("Permanent", "General", "smtp; 550 5.1.1 Unknown User"),
    "complained": Fate(("sent", "delivered", "complained")),
    "suppressed": SUPPRESSED,
    # the sandbox's additions
    "bounced.transient": bounce("Transient", "MailboxFull", "smtp; 452 4.2.2 Mailbox full"),
    "bounced.undetermined": bounce(
        "Undetermined", "Undetermined", "smtp; 421 4.4.0 Unable to determine the reason"
    ),
    "delayed": Fate(("sent", "delivery_delayed", "delivered")),
    "stuck": Fate(("sent", "delivery_delayed")),
    "failed": Fate(("failed",), {"failed": {"reason": "reached_daily_quota"}}),
    "opened": Fate(("sent", "delivered", "opened")),
    "clicked": Fate(("sent", "delivered", "opened", "clicked")),
    "silent": DELIVERED,  # delivered, but no event ever tells
}


def local_part(address: str) -> str:
    """The name before `+label@resend.dev`, or an empty string for any other address."""
    local, _, domain = address.lower().partition("@")
    return local.partition("+")[0] if domain == DOMAIN else ""


def fate_of(addresses: list[str], suppressed: set[str]) -> Fate:
    """What becomes of an email to these addresses: the first that is special decides."""
    for address in addresses:
        if address in suppressed:
            return SUPPRESSED
        if local_part(address) in FATES:
            return FATES[local_part(address)]
    return DELIVERED


def is_silent(addresses: list[str]) -> bool:
    """Whether no event of this email is told."""
    return any(local_part(address) == "silent" for address in addresses)
