"""Writing down people: who they are, where they can be reached, and what they have allowed. Sets in, one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.errors import InvalidRequest
from core.ids import new_id
from core.sealing import seal
from core.settings import settings
from core.statements import insert_rows, rows
from core.vocabulary import Channel
from delivery import consents, pumping
from delivery.channels import CHANNELS, Address
from delivery.consents import ConsentEntry
from delivery.ledger import known_users
from delivery.loading import ADDRESS_PLACE, NAME_PLACE
from delivery.policies.places import zone_exists
from delivery.pumping import NewNumber
from delivery.suppressions import address_index


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """A person as the app knows them; addresses in any usual spelling, checked here."""

    id: str
    name: str = ""
    phone: str = ""
    email: str = ""
    locale: str = "en_US"
    time_zone: str | None = None
    country: str = "US"
    state: str = ""
    birthday: date | None = None
    joined_at: datetime | None = None
    consents: Sequence[ConsentEntry] = field(default_factory=tuple)


def add_people(connection: Connection, people: Sequence[NewPerson], *, known: bool = False) -> None:
    """Insert people with their contact points and consents; InvalidAddress for an address that can't be one.

    InvalidRequest for a time zone that does not exist (leave it out where it is unknown: the strictest hours hold).

    New numbers abroad are held to a pace per block of numbers (InvalidAddress too), unless these are people who are
    `known` already, as in an import. An id that exists keeps its row; a new address of an existing person becomes a
    further contact point. Nothing is written of those whose data was erased under that id: they stay erased.
    """
    for person in people:
        if person.time_zone and not zone_exists(person.time_zone):
            raise InvalidRequest("time_zone", "is no IANA time zone: give a name such as America/Chicago")
    insert_rows(
        connection,
        "INSERT INTO users (id, name_sealed, locale, time_zone, country, state, birthday, joined_at) VALUES %s"
        " ON CONFLICT (id) DO NOTHING",
        [
            (
                p.id, seal(p.name, place=NAME_PLACE, row=p.id) if p.name else None, p.locale, p.time_zone, p.country,
                p.state, p.birthday, p.joined_at or utc_now(),
            )
            for p in people
        ],
    )  # fmt: skip
    there = known_users(connection, {person.id for person in people})
    people = [person for person in people if person.id in there]
    reserved = settings().environment != "production"
    points = [
        (person.id, channel, CHANNELS[channel].address(raw, reserved=reserved))
        for person in people
        for channel, raw in ((Channel.SMS, person.phone), (Channel.EMAIL, person.email))
        if raw
    ]
    made = {new_id(): point for point in points}
    inserted = insert_rows(
        connection,
        "INSERT INTO contact_points (id, user_id, channel, address_sealed, address_index, country, region, zones, domain)"
        " VALUES %s ON CONFLICT (user_id, channel, address_index) DO NOTHING RETURNING id",
        [_contact_point(point_id, *point) for point_id, point in made.items()],
    )
    if not known:
        pumping.admit(
            [
                NewNumber(point_id, channel, address.country, address.normal)
                for (point_id,) in inserted
                for _, channel, address in (made[point_id],)
            ]
        )
    consents.record(connection, [entry for person in people for entry in person.consents])


def _contact_point(point_id: UUID, user_id: str, channel: Channel, address: Address) -> tuple[object, ...]:
    return (
        point_id, user_id, channel, seal(address.normal, place=ADDRESS_PLACE, row=point_id),
        address_index(channel, address.normal), address.country, address.region, ",".join(address.zones),
        address.domain,
    )  # fmt: skip


def own_addresses(connection: Connection, user_id: str) -> list[tuple[Channel, bytes]]:
    """The person's addresses by channel and blind index, without those that somebody else has too."""
    found = rows(
        connection,
        "SELECT channel, address_index FROM contact_points c WHERE user_id = %s AND NOT EXISTS (SELECT FROM"
        " contact_points o WHERE o.channel = c.channel AND o.address_index = c.address_index AND o.user_id <> c.user_id)",
        (user_id,),
    )
    return [(Channel(channel), bytes(index)) for channel, index in found]
