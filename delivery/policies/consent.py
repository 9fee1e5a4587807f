"""Consent: the TCPA's levels for texts, the GDPR's lawful basis for everything else.

Texts need prior express consent, marketing texts express written consent (47 CFR 64.1200(a), (f)(9)); a text on a
critical matter is no exception, since the exemptions for banks bind the sender to conditions that we can't promise.
Mail on the basis of contract or legitimate interest needs no consent (GDPR 6(1)(b), (f)), but an explicit withdrawal
is honoured all the same (GDPR 21). Mail on the basis of consent needs a grant, and marketing mail a confirmed one
(double opt-in, GDPR 7.1: consent must be provable).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from core.vocabulary import Channel, ConsentLevel, LawfulBasis, Purpose
from delivery.policies.base import Candidate, ConsentState, Facts, Verdict
from delivery.policies.reasons import Reason

STRENGTH: Mapping[ConsentLevel, int] = {
    ConsentLevel.NONE: 0,
    ConsentLevel.EXPRESS: 1,
    ConsentLevel.EXPRESS_WRITTEN: 2,
}
WEAKEST_FOR_TEXTS = ConsentLevel.EXPRESS
"""No text goes out on less, whatever the catalog says of its type."""

DOUBLE_OPT_IN: frozenset[Purpose] = frozenset({Purpose.MARKETING})
"""Purposes whose mail needs a confirmed consent."""


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
    """Skip what nobody agreed to; the evidence of what passes names the consent row or the lawful basis."""
    return [_check(one, facts) for one in candidates]


def _check(candidate: Candidate, facts: Facts) -> Verdict:
    user = facts.users.get(candidate.user_id)
    if user is None:
        return Verdict.skip(Reason.UNKNOWN_USER)
    if user.erased:
        return Verdict.skip(Reason.USER_ERASED)
    state = facts.consents.get((candidate.user_id, candidate.channel, candidate.type.purpose))
    if state is not None and not state.granted:
        return Verdict.skip(Reason.CONSENT_WITHDRAWN, consent_id=state.consent_id)
    return RULES.get(candidate.channel, _lawful_basis)(candidate, state)


def _tcpa(candidate: Candidate, state: ConsentState | None) -> Verdict:
    needed = max(candidate.type.consent_level, WEAKEST_FOR_TEXTS, key=STRENGTH.__getitem__)
    if state is None:
        return Verdict.skip(Reason.NO_CONSENT, needs=needed.value)
    if STRENGTH[state.level] < STRENGTH[needed]:
        return Verdict.skip(
            Reason.CONSENT_LEVEL_TOO_LOW,
            consent_id=state.consent_id,
            has=state.level.value,
            needs=needed.value,
        )
    return Verdict.allow(consent_id=state.consent_id, consent_level=str(state.level))


def _lawful_basis(candidate: Candidate, state: ConsentState | None) -> Verdict:
    basis = candidate.type.lawful_basis
    if basis is not LawfulBasis.CONSENT:
        if state is None:
            return Verdict.allow(lawful_basis=str(basis))
        return Verdict.allow(lawful_basis=str(basis), consent_id=state.consent_id)
    if state is None:
        return Verdict.skip(Reason.NO_CONSENT, needs=basis.value)
    if candidate.type.purpose in DOUBLE_OPT_IN and not state.confirmed:
        return Verdict.skip(Reason.CONSENT_NOT_CONFIRMED, consent_id=state.consent_id)
    return Verdict.allow(consent_id=state.consent_id, lawful_basis=basis.value)


RULES: Mapping[Channel, Callable[[Candidate, ConsentState | None], Verdict]] = {Channel.SMS: _tcpa}
"""Channels with a law of their own; the others stand on the GDPR's bases."""
