"""From a plan to provider calls: render, group into calls, seal what each carries, and call."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache, partial
from uuid import UUID

from core.errors import InvalidRequest
from core.ids import new_id
from core.sealing import SealedBytes
from core.settings import settings
from core.stopping import is_stopping
from core.values import value
from core.vocabulary import Urgency
from delivery import call_pace, costs, keys
from delivery.catalog import message_type
from delivery.ledger import Intent, OpenAttempt
from delivery.loading import Batch, Work
from delivery.messages import LEASE_OVER, Outcome, RenderedMessage, Transmission
from delivery.planning import Planned
from delivery.providers import provider
from delivery.rendering import render_all_for
from delivery.sealed_calls import seal_call
from delivery.settlement import Sent

NO_TURN = replace(LEASE_OVER, detail="no turn at the provider's pace")


@value(frozen=True, slots=True)
class Prepared:
    """One attempt, rendered and ready to be opened, then transmitted, then settled."""

    attempt: OpenAttempt
    transmission: Transmission
    sent: Sent


def prepare(
    batch: Batch, planned: Sequence[Planned], *, now: datetime, deadline: float
) -> tuple[list[Prepared], list[tuple[Work, InvalidRequest]]]:
    """Render all, to be sent before `deadline` (time.monotonic()).

    Those whose content can't be rendered come back with the reason and hinder nobody.
    """
    made = render_all_for(batch, [(each.work, each.route.channel) for each in planned], now)
    pairs = list(zip(planned, made, strict=True))
    broken = [(each.work, problem) for each, problem in pairs if isinstance(problem, InvalidRequest)]
    ready = [(each, message) for each, message in pairs if isinstance(message, RenderedMessage)]
    addresses = [each.contact_point.address() for each, _ in ready]
    drafts = [
        _Draft(each, message, address, new_id())
        for (each, message), address in zip(ready, addresses, strict=True)
    ]
    return [each for call in _calls(drafts) for each in _opened(call, batch, now.date(), deadline)], broken


def transmit(transmissions: Sequence[tuple[str, Transmission]], *, deadline: float) -> dict[UUID, Outcome]:
    """Call the providers: (provider name, transmission) pairs in; attempt id → outcome out.

    What could not be started before `deadline` (time.monotonic()) is not sent: another worker may hold it by then.
    """
    outcomes: dict[UUID, Outcome] = {}
    alone: dict[str, list[Transmission]] = defaultdict(list)
    together: dict[tuple[str, str], list[Transmission]] = defaultdict(list)
    for name, transmission in transmissions:
        if provider(name).batch_size > 1:
            together[name, transmission.key].append(transmission)
        else:
            alone[name].append(transmission)
    calls = [(name, "", members) for name, members in alone.items()]
    calls += [(name, key, members) for (name, key), members in together.items()]
    for name, key, members in calls:
        if time.monotonic() > deadline or is_stopping():
            outcomes.update({each.attempt_id: LEASE_OVER for each in members})
            continue
        if not call_pace.await_turn(
            name, holder=members[0].attempt_id.hex, urgent=_urgent(members), until=deadline
        ):
            outcomes.update({each.attempt_id: NO_TURN for each in members})
            continue
        answers = provider(name).transmit(members, key=key)
        call_pace.learn(name)
        outcomes.update({each.attempt_id: answer for each, answer in zip(members, answers, strict=True)})
    return outcomes


def _urgent(members: Sequence[Transmission]) -> bool:
    return any(message_type(each.message_type).urgency is Urgency.CRITICAL for each in members)


def callback_root(provider_name: str) -> str:
    """The URL under which a provider tells of attempts; their ids follow."""
    return f"{settings().public_base_url}/webhooks/{provider_name}/status"


@value(frozen=True, slots=True)
class _Draft:
    planned: Planned
    message: RenderedMessage
    address: str
    attempt_id: UUID


def _calls(drafts: Sequence[_Draft]) -> list[list[_Draft]]:
    """Group the drafts into the calls that will carry them: a provider's batches, and the rest one by one."""
    waiting: Mapping[str, list[_Draft]] = defaultdict(list)
    calls: list[list[_Draft]] = []
    for draft in drafts:
        name = draft.planned.route.provider
        if provider(name).batch_size > 1 and not draft.message.attachments:
            waiting[name].append(draft)
        else:
            calls.append([draft])
    for name, members in waiting.items():
        size = provider(name).batch_size
        calls += [members[start : start + size] for start in range(0, len(members), size)]
    return calls


def _opened(call: Sequence[_Draft], batch: Batch, on: date, deadline: float) -> Iterator[Prepared]:
    """The attempts of one call: one key for all, and with the first of them, sealed, what all of them carry."""
    ids = [each.attempt_id for each in call]
    key = keys.batch_key(ids) if len(ids) > 1 else keys.attempt_key(ids[0])
    sealed: SealedBytes | None = seal_call([(each.address, each.message) for each in call], ids[0])
    route = call[0].planned.route
    price = cache(
        lambda units, country: costs.estimate(
            route.channel, units, on=on, provider=route.provider, country=country
        )
    )
    root = callback_root(route.provider)
    intent = cache(partial(Intent, route.channel, route.provider, key))
    for position, each in enumerate(call):
        work, contact_point, message = each.planned.work, each.planned.contact_point, each.message
        claimed, attempt_id, units = work.claimed, each.attempt_id, each.message.units
        number = len(batch.past.get(claimed.id, ())) + 1 if batch.past else 1
        cost = price(units, contact_point.country)
        # Values in the order of the fields: named, they would cost twice as much, for each message.
        yield Prepared(
            OpenAttempt(
                attempt_id, claimed.id, claimed.fence, contact_point.id, position, sealed,
                intent(number, message.template, units, cost),
            ),
            Transmission(
                attempt_id, claimed.id, work.type.name, each.address, message, key, root, claimed.expires_at, deadline
            ),
            Sent(
                attempt_id, claimed.id, claimed.user_id, work.type, claimed.fence, claimed.tries, route, key, units,
                cost, contact_point.domain, contact_point.address_index, claimed.expires_at,
                each.planned.verdict.evidence,
            ),
        )  # fmt: skip
        sealed = None
