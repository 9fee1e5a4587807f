"""Numbers that make something happen: Twilio's own test numbers, and the sandbox's additions.

Source of the first two tables: twilio.com/docs/iam/test-credentials. The additions all begin with
+1500555 so that they can't be anybody's number: 2xxx are refused at once, 3xxx fail later, 4xxx are odd.
"""

from dataclasses import dataclass

from sandbox.lifecycle import Step

TO_REFUSED = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
    # the sandbox's additions
    "+15005552429": 20429,
    "+15005552500": 20500,
    "+15005552503": 20503,
    "+15005552608": 21608,
    "+15005552611": 21611,
    "+15005552635": 21635,
}
FROM_REFUSED = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """How a taken message ends badly: the status, and Twilio's name of the error."""

    status: str
    name: str


# Codes of twilio.com/docs/api/errors: `failed` never left Twilio, `undelivered` came back from the carrier.
FAILURES = {
    30001: Failure("failed", "Queue overflow"),
    30002: Failure("failed", "Account suspended"),
    30003: Failure("undelivered", "Unreachable destination handset"),
    30004: Failure("undelivered", "Message blocked"),
    30005: Failure("undelivered", "Unknown destination handset"),
    30006: Failure("undelivered", "Landline or unreachable carrier"),
    30007: Failure("undelivered", "Message filtered"),
    30008: Failure("undelivered", "Unknown error"),
    30022: Failure("failed", "US A2P 10DLC - Rate Limits Exceeded"),
    30023: Failure("failed", "US A2P 10DLC - Daily Message Cap Reached"),
    30027: Failure("failed", "US A2P 10DLC - T-Mobile Daily Message Limit Reached"),
    30032: Failure("failed", "Toll-Free Number Has Not Been Verified"),
    30034: Failure("failed", "US A2P 10DLC - Message from an Unregistered Number"),
    30036: Failure("failed", "Validity Period Expired"),
    30047: Failure("failed", "Messages in Twilio's queue for too long"),
    30410: Failure("undelivered", "Provider Timeout Error"),
    30610: Failure("undelivered", "Outside of permitted hours"),
}
FAILS_LATER = {f"+1500555{3000 + code - 30000:04d}": code for code in FAILURES}
STAYS_QUEUED = "+15005554002"
STAYS_SENT = "+15005554000"
SILENT = "+15005554001"  # delivered, but no callback ever tells
EXPIRED = 30036


def itinerary(to: str, *, service: bool, delay_s: float, validity_s: int | None) -> list[Step]:
    """The statuses that a message to this number goes through after the first one, each `delay_s` apart."""
    if to == STAYS_QUEUED:
        return []
    steps = [Step("queued", delay_s)] if service else []
    if validity_s is not None and validity_s < delay_s:
        return [*steps, Step("failed", validity_s, EXPIRED)]
    code = FAILS_LATER.get(to)
    if code is not None:
        failure = FAILURES[code]
        sent = [Step("sent", delay_s)] if failure.status == "undelivered" else []
        return [*steps, *sent, Step(failure.status, delay_s, code)]
    if to == STAYS_SENT:
        return [*steps, Step("sent", delay_s)]
    quiet = to == SILENT
    return [*steps, Step("sent", delay_s, quiet=quiet), Step("delivered", delay_s, quiet=quiet)]
