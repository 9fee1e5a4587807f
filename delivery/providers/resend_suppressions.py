"""Resend's own suppression list: what it does not deliver to, whoever asks (resend.com/docs/api-reference/suppressions)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import resend

from core.errors import NotAccepted
from delivery.providers import provider
from delivery.providers.http import WireFailure
from delivery.providers.resend_sdk import unwrapped

PAGE = 100
MOST_PAGES = 1000
REASONS: Mapping[str, str] = {"bounce": "hard_bounce", "complaint": "complaint", "manual": "manual"}
"""Resend's origin → the reason on our list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One address of the provider's list."""

    address: str
    reason: str


def listed() -> list[Listed]:
    """The whole list; NotAccepted when it can't be read to its end now."""
    _connect()
    try:
        return [Listed(str(row["email"]), REASONS.get(str(row.get("origin")), "manual")) for row in _rows()]
    except (WireFailure, KeyError, TypeError) as error:
        raise NotAccepted("Resend's suppression list can't be read now; try again later") from error


def add(addresses: Sequence[str]) -> None:
    """Put addresses on Resend's list; one that is there stays. NotAccepted when it could not be done."""
    _in_batches(addresses, lambda some: resend.Suppressions.Batch.add({"emails": some}))


def remove(address: str) -> None:
    """Take an address off Resend's list; one that is not there is no error. NotAccepted when it could not be done."""
    _connect()
    if address in {each.address for each in listed()}:
        _in_batches([address], lambda some: resend.Suppressions.Batch.remove({"emails": some}))


def _rows() -> Iterator[Mapping[str, Any]]:
    params: resend.Suppressions.ListParams = {"limit": PAGE}
    for _ in range(MOST_PAGES):
        page = unwrapped(lambda: resend.Suppressions.list(params))  # noqa: B023  called before params changes
        yield from page["data"]
        if not page.get("has_more") or not page["data"]:
            return
        params = {"limit": PAGE, "after": page["data"][-1]["id"]}
    raise WireFailure("the list has no end")


def _in_batches(addresses: Sequence[str], call: Any) -> None:
    _connect()
    for start in range(0, len(addresses), PAGE):
        some = list(addresses[start : start + PAGE])
        try:
            unwrapped(lambda: call(some))  # noqa: B023  called before the next round
        except WireFailure as error:
            raise NotAccepted(
                "Resend did not take the change of its suppression list; try again later"
            ) from error


def _connect() -> None:
    """The SDK keeps key, address and client in module globals, which the provider sets."""
    provider("resend")
