"""Who a batch speaks to: a filter that the UI shows as a form, and the people that pass it."""

from dataclasses import dataclass
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from core.database import transaction
from core.errors import InvalidRequest
from core.statements import rows

SQL_SECONDS = 60
"""How long a query for an audience may take."""


class Audience(BaseModel):
    """Everybody, narrowed by what is given; people whose data was erased are never in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_ids: list[str] | None = Field(default=None, max_length=100_000, description="only these people")
    countries: list[str] | None = Field(default=None, description="ISO codes, e.g. US, DE")
    states: list[str] | None = Field(default=None, description="US states, e.g. CA")
    time_zones: list[str] | None = Field(default=None, description="IANA names, e.g. America/Denver")
    languages: list[str] | None = Field(default=None, description="of the locale, e.g. en, es")
    joined_after: AwareDatetime | None = None
    joined_before: AwareDatetime | None = None
    active_after: AwareDatetime | None = Field(default=None, description="used the app since")
    percent: int = Field(default=100, ge=1, le=100, description="a steady sample: the same people each time")
    limit: int | None = Field(default=None, ge=1, description="at most so many people")
    sql: str | None = Field(
        default=None,
        max_length=20_000,
        description="one SELECT with user ids in its first column; the rest of the filter narrows it",
    )


EVERYBODY = Audience()


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person of an audience, with what deciding needs and nothing that names them."""

    user_id: str
    locale: str
    time_zone: str
    channels: frozenset[str]


_PEOPLE = """
SELECT u.id, u.locale, coalesce(u.time_zone, 'UTC'),
       ARRAY(SELECT DISTINCT c.channel FROM contact_points c WHERE c.user_id = u.id)
FROM users u
WHERE u.erased_at IS NULL
  AND (%(user_ids)s::text[] IS NULL OR u.id = ANY(%(user_ids)s))
  AND (%(countries)s::text[] IS NULL OR u.country = ANY(%(countries)s))
  AND (%(states)s::text[] IS NULL OR u.state = ANY(%(states)s))
  AND (%(time_zones)s::text[] IS NULL OR u.time_zone = ANY(%(time_zones)s))
  AND (%(languages)s::text[] IS NULL OR split_part(replace(u.locale, '-', '_'), '_', 1) = ANY(%(languages)s))
  AND (%(joined_after)s::timestamptz IS NULL OR u.joined_at >= %(joined_after)s)
  AND (%(joined_before)s::timestamptz IS NULL OR u.joined_at < %(joined_before)s)
  AND (%(active_after)s::timestamptz IS NULL OR u.last_active_at >= %(active_after)s)
  AND mod(hashtext(u.id)::int8 + 2147483648, 100) < %(percent)s
ORDER BY u.id LIMIT %(limit)s
"""


def people_of(audience: Audience) -> list[Recipient]:
    """The people that pass, by id; a person who can't be reached is among them, so that they are counted."""
    wanted: dict[str, Any] = audience.model_dump(exclude={"sql"})
    if audience.sql is not None:
        chosen = selected(audience.sql)
        wanted["user_ids"] = sorted(chosen if audience.user_ids is None else chosen & set(audience.user_ids))
    with transaction() as connection:
        return [
            Recipient(user_id, locale, zone, frozenset(channels))
            for user_id, locale, zone, channels in rows(connection, _PEOPLE, wanted)
        ]


def selected(sql: str) -> frozenset[str]:
    """The ids in a SELECT's first column; InvalidRequest with the database's own words for anything else.

    It runs as one prepared statement in a read-only transaction of its own: it can't be two, and it can't write.
    """
    from adbc_driver_manager.dbapi import Error

    from analytics.load import read, reader

    with reader() as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{SQL_SECONDS}s'")
            query = sql.strip().removesuffix(";")
            found = read(connection, f"SELECT DISTINCT id::text AS id FROM (\n{query}\n) AS audience (id)")  # noqa: S608
        except Error as error:
            raise InvalidRequest("audience.sql", str(error).partition("\n")[0][:300]) from None
    return frozenset(found["id"].dropna().tolist())
