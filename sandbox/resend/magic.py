"""Addresses that make something happen: Resend's test addresses, and the sandbox's additions.

Source of the first four: resend.com/docs/dashboard/emails/send-test-emails. All take a `+label`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOMAIN = "resend.dev"
_SUPPRESSED = (
    "Resend has suppressed sending to this address because it is on the account-level suppression list. "
    "This does not count toward your bounce rate metric"
)
_UNKNOWN_USER = "smtp; 550 5.1.1 Unknown User"


@dataclass(frozen=True, slots=True)
class Fate:
    """The events of an email in their order, and what the last one carries."""

    events: tuple[str, ...]
    detail: dict[str, Any] = field(default_factory=dict)


def bounce(kind: str, sub_type: str, message: str) -> Fate:
    """An email that comes back."""
    detail = {"type": kind, "subType": sub_type, "message": message, "diagnosticCode": [message]}
    return Fate(("sent", "bounced"), {"bounce": detail})


def suppression(origin: str) -> Fate:
    """An email that Resend does not deliver, because an earlier one bounced or was complained of."""
    detail = {
        "diagnosticCode": [_UNKNOWN_USER] if origin == "bounce" else [],
        "message": _SUPPRESSED,
        "reason": "previous_complaint" if origin == "complaint" else "previous_bounce",
        "type": "OnAccountSuppressionList",
    }
    return Fate(("suppressed",), {"suppressed": detail})


DELIVERED = Fate(("sent", "delivered"))
FATES: dict[str, Fate] = {
    "delivered": DELIVERED,
    "bounced": bounce("Permanent", "General", _UNKNOWN_USER),
    "complained": Fate(("sent", "delivered", "complained")),
    "suppressed": suppression("bounce"),
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


def fate_of(addresses: list[str], suppressed: Mapping[str, Any]) -> Fate:
    """What becomes of an email to these addresses: the first that is special decides."""
    for address in addresses:
        if address in suppressed:
            return suppression(suppressed[address]["origin"])
        if local_part(address) in FATES:
            return FATES[local_part(address)]
    return DELIVERED


def is_silent(addresses: list[str]) -> bool:
    """Whether no event of this email is told."""
    return any(local_part(address) == "silent" for address in addresses)
