"""A day of the past as rows of our tables, in Arrow: notifications, attempts and delivery events."""

import binascii
from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics.history.day import HOUR, NEVER, SECOND, Day, Micros
from analytics.history.people import People
from analytics.history.scenario import CARRIERS, PAST_TYPES, RECEIPTS_LATE
from core.vocabulary import Channel, EventKind, OutcomeKind, State

Payload = Callable[[UUID, str], tuple[bytes, bytes]]
"""(notification id, message type) → (sealed payload, content hash): the caller knows the place and the content."""

Ids = NDArray[np.bytes_]

_NAMES = np.array([kind.name for kind in PAST_TYPES], dtype=object)
_LANES = np.array([str(kind.lane) for kind in PAST_TYPES], dtype=object)
_LIFETIMES = np.array([int(kind.lifetime.total_seconds()) * SECOND for kind in PAST_TYPES], dtype=np.int64)
_PROVIDERS = {str(channel): carrier.provider for channel, carrier in CARRIERS.items()}


def ids(at: Micros) -> Ids:
    """Fresh UUIDs of version 7 whose time is `at`, as 32 hexadecimal digits."""
    rng = np.random.default_rng()
    raw = rng.integers(0, 256, (len(at), 16), dtype=np.uint8)
    raw[:, :6] = (at // 1000).astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    return np.frombuffer(binascii.hexlify(raw.tobytes()), dtype="S32")


def events(
    day: Day, people: People, notification_ids: Ids, attempt_ids: Ids | None, *, told_by: int
) -> pa.Table:
    """`delivery_events` in the order of time, all recorded by `told_by` (µs); without attempts their column is left out."""
    rng = np.random.default_rng(told_by)
    tries = day.tries
    stacked = _stack(tries)
    rows = stacked["row"].to_numpy()
    at = stacked["at"].to_numpy()
    late = rng.random(len(rows)) < RECEIPTS_LATE
    waited = np.where(late, rng.exponential(5 * HOUR, len(rows)), rng.exponential(0.8, len(rows)) * SECOND)
    recorded = np.minimum(at + waited.astype(np.int64), told_by)
    person = tries["person"].to_numpy()[rows]
    channel = tries["channel"].to_numpy()[rows]
    columns: dict[str, Any] = {
        "id": _text(ids(at)),
        "at": _instant(at),
        "notification_id": _text(notification_ids[tries["number"].to_numpy()[rows]]),
        "user_id": people.user_ids[person],
        "channel": channel,
        "provider": np.where(channel == "sms", _PROVIDERS["sms"], _PROVIDERS["email"]),
        "message_type": _NAMES[tries["type"].to_numpy()[rows]],
        "kind": stacked["kind"].to_numpy(),
        "code": stacked["code"].to_numpy(),
        "error_class": stacked["error_class"].to_numpy(),
        "domain": np.where(channel == "email", people.domains[person], ""),
        "is_machine": stacked["is_machine"].to_numpy(),
        "price": pa.array(stacked["price"].to_numpy(), from_pandas=True),
        "recorded_at": _instant(recorded),
    }
    if attempt_ids is not None:
        columns["attempt_id"] = _text(attempt_ids[rows])
    return pa.table(columns)


def _stack(tries: pd.DataFrame) -> pd.DataFrame:
    """One row per thing that happened: (row of `tries`, kind, at, code, error_class, is_machine, price)."""
    sent = tries["sent"].to_numpy()
    parts = [_part(EventKind.SENT, sent, price=tries["price"].to_numpy())]
    parts += [
        _part(kind, tries[name].to_numpy())
        for name, kind in (
            ("delivered", EventKind.DELIVERED), ("opened", EventKind.OPENED), ("clicked", EventKind.CLICKED),
            ("unsubscribed", EventKind.UNSUBSCRIBED), ("complained", EventKind.COMPLAINED),
        )
    ]  # fmt: skip
    proxy = tries["proxy_opened"].to_numpy()
    # half of the proxies that go unrecognised betray themselves by their speed
    parts.append(_part(EventKind.OPENED, proxy, machine=tries["proxy_known"].to_numpy()))
    scanned = tries["scanned"].to_numpy()
    parts += [
        _part(EventKind.CLICKED, np.where(scanned == NEVER, NEVER, scanned + step * SECOND))
        for step in range(3)
    ]
    failed, channel = tries["failed"].to_numpy(), tries["channel"].to_numpy()
    for name, carrier in CARRIERS.items():
        for number, (_, code, kind, error_class) in enumerate(carrier.failures):
            mine = (channel == str(name)) & (tries["failure"].to_numpy() == number)
            parts.append(_part(kind, np.where(mine, failed, NEVER), code=code, error_class=str(error_class)))
    stacked = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return stacked.sort_values("at", ignore_index=True)


def _part(
    kind: EventKind,
    at: Micros,
    *,
    code: str = "",
    error_class: str = "",
    machine: NDArray[np.bool_] | None = None,
    price: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    rows = np.flatnonzero(at != NEVER)
    return pd.DataFrame(
        {
            "row": rows,
            "at": at[rows],
            "kind": np.full(len(rows), str(kind), dtype=object),
            "code": np.full(len(rows), code, dtype=object),
            "error_class": np.full(len(rows), error_class, dtype=object),
            "is_machine": machine[rows] if machine is not None else np.zeros(len(rows), dtype=bool),
            "price": price[rows] if price is not None else np.full(len(rows), np.nan),
        }
    )


def attempts(day: Day, people: People, notification_ids: Ids, attempt_ids: Ids) -> pa.Table:
    """`attempts`: one per try, and before some of them one that the provider was too busy for."""
    tries = day.tries
    channel, person = tries["channel"].to_numpy(), tries["person"].to_numpy()
    sent = tries["sent"].to_numpy()
    again = np.flatnonzero(tries["tried_twice"].to_numpy())
    rows = np.concatenate([np.arange(len(tries)), again])
    first = np.arange(len(rows)) >= len(tries)
    opened = sent[rows] - 180_000 - np.where(first, 60 * SECOND, 0)
    fresh = ids(opened)
    own = np.where(first, fresh, attempt_ids[rows])
    points = np.where(
        channel == "sms",
        people.contact_points[Channel.SMS][person],
        people.contact_points[Channel.EMAIL][person],
    )
    price = tries["price"].to_numpy()[rows]
    text = _text(own)
    return pa.table(
        {
            "id": text,
            "notification_id": _text(notification_ids[tries["number"].to_numpy()[rows]]),
            "fence": np.where(first, 1, 2),
            "number": np.where(first, 1, 2),
            "channel": channel[rows],
            "provider": np.where(channel[rows] == "sms", _PROVIDERS["sms"], _PROVIDERS["email"]),
            "contact_point_id": points[rows],
            "key": pc.binary_join_element_wise("past", text, "-"),
            "template": _NAMES[tries["type"].to_numpy()[rows]] + "/v1",
            "opened_at": _instant(opened),
            "closed_at": _instant(opened + 170_000),
            "outcome": np.where(first, str(OutcomeKind.RETRY_LATER), str(OutcomeKind.ACCEPTED)),
            "reference": pc.if_else(pa.array(first), "", pc.binary_join_element_wise("past", text, "_")),
            "error_class": np.where(first, "capacity", ""),
            "units": tries["units"].to_numpy()[rows],
            "cost_estimate": price,
            "cost": np.where(first, 0.0, price),
            "resolved_by": np.full(len(rows), "response", dtype=object),
        }
    )


def notifications(day: Day, people: People, notification_ids: Ids, payload: Payload) -> pa.Table:
    """`notifications` with the state that their events have led to."""
    planned = day.notifications
    last = day.tries.drop_duplicates("number", keep="last").set_index("number").reindex(range(len(planned)))
    paid = day.tries.groupby("number")["price"].sum().reindex(range(len(planned)), fill_value=0.0)
    firsts = day.tries.groupby("number")["sent"].min().reindex(range(len(planned)))
    kind = planned["type"].to_numpy()
    skipped = (planned["skip"] != "").to_numpy()
    state, final = _states(last, skipped, planned["planned"].to_numpy())
    content = [
        payload(UUID(each.decode()), _NAMES[number])
        for each, number in zip(notification_ids, kind, strict=True)
    ]
    created, due = planned["created"].to_numpy(), planned["planned"].to_numpy()
    return pa.table(
        {
            "id": _text(notification_ids),
            "user_id": people.user_ids[planned["person"].to_numpy()],
            "message_type": _NAMES[kind],
            "lane": _LANES[kind],
            "state": state,
            "reason": planned["skip"].to_numpy(),
            "payload_sealed": ["\\x" + sealed.hex() for sealed, _ in content],
            "content_hash": ["\\x" + digest.hex() for _, digest in content],
            "campaign": pa.nulls(len(planned), pa.string()),
            "deliver_after": _instant(due),
            "publish_after": _instant(due),
            "expires_at": _instant(created + _LIFETIMES[kind] + HOUR),
            "fence": np.where(skipped, 1, 2),
            "tries": np.zeros(len(planned), dtype=np.int8),
            "channel": pa.array(last["channel"].to_numpy(), pa.string(), from_pandas=True),
            "provider": pa.array(last["channel"].map(_PROVIDERS).to_numpy(), pa.string(), from_pandas=True),
            "cost": paid.to_numpy(),
            "created_at": _instant(created),
            "updated_at": _instant(np.where(final == NEVER, due, final)),
            "sent_at": _instant(np.where(skipped, NEVER, firsts.fillna(NEVER).to_numpy().astype(np.int64))),
            "final_at": _instant(final),
        }
    )


def _states(
    last: pd.DataFrame, skipped: NDArray[np.bool_], due: Micros
) -> tuple[NDArray[np.object_], Micros]:
    def at(name: str) -> Micros:
        return np.asarray(last[name].fillna(NEVER).to_numpy(), dtype=np.int64)

    delivered, failed, complained = at("delivered"), at("failed"), at("complained")
    bounced = last["failure"].fillna(-1).to_numpy()
    refused = np.array(
        [
            number >= 0
            and CARRIERS[Channel(channel)].failures[int(number)][2]
            in {EventKind.FAILED, EventKind.SUPPRESSED}
            for number, channel in zip(bounced, last["channel"], strict=True)
        ],
        dtype=bool,
    )
    cases = [skipped, complained != NEVER, delivered != NEVER, (failed != NEVER) & refused, failed != NEVER]
    names = [State.SKIPPED, State.COMPLAINED, State.DELIVERED, State.FAILED, State.BOUNCED]
    state = np.select(
        cases, [np.full(len(skipped), str(name), dtype=object) for name in names], str(State.SENT)
    )
    return state, np.select(cases, [due, complained, delivered, failed, failed], NEVER)


def _text(digits: Ids) -> pa.Array:
    return pa.array(digits).cast(pa.string())


def _instant(at: Micros) -> pa.Array:
    return pa.array(np.where(at == NEVER, 0, at), pa.timestamp("us", "UTC"), mask=at == NEVER)
