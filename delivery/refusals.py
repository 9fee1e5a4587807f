"""What a refusal teaches about an address or a person: suppressed, or opted out."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection

from core.vocabulary import Channel, Purpose
from delivery import consents, suppressions
from delivery.consents import ConsentEntry
from delivery.suppressions import SuppressionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A provider's word that an address does not take messages (`suppress`) or that a person wants none (`revoke`)."""

    user_id: str
    channel: Channel
    address_index: bytes
    provider: str
    code: str
    suppress: bool
    revoke: bool


def protect_refused(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Suppress the addresses and record the revocations."""
    suppressions.suppress(
        connection,
        [
            SuppressionRequest(
                channel=each.channel, address_index=each.address_index, reason=each.code,
                source="provider_refusal", provider=each.provider,
            )
            for each in refusals
            if each.suppress
        ],
    )  # fmt: skip
    consents.record(
        connection,
        [entry for each in refusals if each.revoke for entry in revocation(each.user_id, each.channel)],
    )


def revocation(
    user_id: str,
    channel: Channel,
    *,
    source: str = "provider_refusal",
    purposes: AbstractSet[str] | None = None,
) -> list[ConsentEntry]:
    """The ledger rows of an opt-out that covers a whole channel (or `purposes` of it)."""
    return [
        ConsentEntry(
            user_id=user_id, channel=channel, purpose=purpose, granted=False, method="opt_out", source=source,
            actor="user",
        )
        for purpose in Purpose
        if purposes is None or purpose in purposes
    ]  # fmt: skip
