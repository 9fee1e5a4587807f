"""The story of one notification: why it was or wasn't sent, on what evidence, and all that happened to it. One query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.database import transaction
from core.errors import InvalidRequest
from core.logs import mask
from core.sealing import unseal
from core.statements import rows
from core.vocabulary import State
from delivery.intake import SCHEDULED
from delivery.loading import ADDRESS_PLACE
from delivery.policies.reasons import Reason

QUEUED = "queued"
"""Stands for the empty reason of what is accepted and due."""

SENTENCES: Mapping[str, str] = {
    "": "Nothing stood against it.",
    SCHEDULED: "It was accepted for a later time; whether it may be sent is judged then.",
    QUEUED: "It is due and waits for a worker; nothing has been judged yet.",
    "replayed": "It was brought back from the dead letters and is judged anew.",
    "given_up_waiting": "Its provider never said whether it has it: it is sent again, perhaps twice.",
    "retry": "A try failed in a way that may pass; it waits for the next one.",
    "retries_exhausted": "It was tried as often as its type allows.",
    "no_route_left": "Every route has refused it for good.",
    "provider_unavailable": "The providers of its channels are down; it waits for them.",
    "provider_silent": "Its provider does not say whether it has it.",
    "recipient_not_allowed": "The recipient is not on this environment's allow-list.",
    "worker_lost": "The worker that called the provider died; whether it was sent is being found out.",
    "outcome_unknown": "Nobody could find out whether it was sent.",
    "kills_its_worker": "It ended its workers again and again.",
    "crashed": "An error of ours ended its delivery; it is tried again.",
}
"""Reasons that are no verdict of a policy."""

STORY = """
SELECT n.id, n.user_id, n.message_type, n.lane, n.state, n.reason, n.channel, n.provider, n.evidence, n.cost,
  n.possible_duplicate, n.tries, n.created_at, n.deliver_after, n.expires_at, n.final_at,
  (SELECT row_to_json(c) FROM (SELECT id, channel, purpose, action, level, lawful_basis, confirmed, wording_hash,
     wording_version, method, source, actor, at FROM consents WHERE id = (n.evidence ->> 'consent_id')::uuid) c),
  (SELECT json_agg(a ORDER BY a.number) FROM (SELECT t.number, t.channel, t.provider, t.template, t.opened_at, t.closed_at,
     t.outcome, t.reference, t.code, t.error_class, t.detail, t.units, COALESCE(t.cost, t.cost_estimate)::text AS cost,
     t.resolved_by, p.id AS point_id, encode(p.address_sealed, 'hex') AS address FROM attempts t
     LEFT JOIN contact_points p ON p.id = t.contact_point_id WHERE t.notification_id = n.id) a),
  (SELECT json_agg(e ORDER BY e.at) FROM (SELECT at, kind, channel, provider, code, is_machine FROM delivery_events
     WHERE notification_id = n.id) e),
  (SELECT json_agg(d ORDER BY d.at) FROM (SELECT at, reason, attempts, settled_at, settled_as FROM dead_letters
     WHERE notification_id = n.id) d)
FROM notifications n WHERE n.id = %(id)s::uuid OR n.idempotency_key = %(key)s
"""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a notification; `what` is a word, `details` a line for people."""

    at: datetime
    what: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known of one notification; addresses are masked, the content stays sealed."""

    id: UUID
    user_id: str
    message_type: str
    lane: str
    state: str
    reason: str
    sentence: str
    channel: str
    provider: str
    cost: str
    possible_duplicate: bool
    tries: int
    expires_at: datetime
    evidence: Mapping[str, Any]
    consent: Mapping[str, Any] | None
    """The row of the consent ledger that decided: wording hash, method, time."""
    happenings: Sequence[Happening]

    @property
    def rules(self) -> str:
        """The version of the rules that judged it; empty before the first judgement."""
        return str(self.evidence.get("rules", ""))


def story_of(which: str) -> Story:
    """The story of a notification by its id or idempotency key; InvalidRequest when there is none."""
    try:
        notification_id = str(UUID(which))
    except ValueError:
        notification_id = None
    with transaction() as connection:
        found = rows(connection, STORY, {"id": notification_id, "key": which})
    if not found:
        raise InvalidRequest("notification", f"there is none with the id or idempotency key {which!r}")
    (
        row_id, user_id, message_type, lane, state, reason, channel, provider, evidence, cost, doubled, tries, created_at,
        deliver_after, expires_at, final_at, consent, attempts, events, letters,
    ) = found[0]  # fmt: skip
    if state == State.ACCEPTED and not reason:
        reason = QUEUED
    happenings = [Happening(created_at, "accepted", f"for {lane}")]
    if deliver_after > created_at:
        happenings.append(Happening(deliver_after, "due", reason))
    for attempt in attempts or ():
        happenings += _attempt(attempt)
    happenings += [
        Happening(_at(e["at"]), e["kind"], " ".join(filter(None, (e["provider"], e["code"], "machine" if e["is_machine"] else ""))))
        for e in events or ()
    ]  # fmt: skip
    for letter in letters or ():
        happenings.append(Happening(_at(letter["at"]), "dead letter", letter["reason"]))
        if letter["settled_at"]:
            happenings.append(Happening(_at(letter["settled_at"]), "settled", letter["settled_as"]))
    if final_at:
        happenings.append(Happening(final_at, state, reason))
    return Story(
        id=row_id, user_id=user_id, message_type=message_type, lane=lane, state=state, reason=reason,
        sentence=sentence(reason), channel=channel or "", provider=provider or "", cost=str(cost),
        possible_duplicate=doubled, tries=tries, expires_at=expires_at, evidence=evidence or {}, consent=consent,
        happenings=sorted(happenings, key=lambda each: each.at),
    )  # fmt: skip


def sentence(reason: str) -> str:
    """What a reason says to a person."""
    verdicts = {each.value: each.sentence for each in Reason}
    return verdicts.get(reason) or SENTENCES.get(reason, f"The provider's word for it, or ours: {reason}.")


def _attempt(attempt: Mapping[str, Any]) -> list[Happening]:
    address = (
        mask(unseal(bytes.fromhex(attempt["address"]), place=ADDRESS_PLACE, row=attempt["point_id"]))
        if attempt["point_id"]
        else "an address that was erased"
    )
    opened = Happening(
        _at(attempt["opened_at"]),
        f"try {attempt['number']}",
        f"{attempt['channel']} by {attempt['provider']} to {address}, {attempt['template']}, {attempt['units']} × unit",
    )
    if not attempt["closed_at"]:
        return [opened]
    said = (attempt["code"], attempt["error_class"], attempt["detail"], attempt["reference"])
    closed = Happening(
        _at(attempt["closed_at"]),
        f"{attempt['outcome']}",
        " · ".join(
            filter(None, (*said, f"{attempt['cost']} USD", f"by {attempt['resolved_by'] or 'nobody'}"))
        ),
    )
    return [opened, closed]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
