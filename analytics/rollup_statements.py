"""The SQL of the rollups: from events to tries, and from tries (added with +1, taken back with −1) to counts.

Parameters are psycopg2's; `lo` and `hi` are transaction ids between which events are new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

EVENTS_ARE_NEW = (
    "SELECT FROM delivery_events WHERE ins_xid >= %(lo)s::xid8 AND ins_xid < %(hi)s::xid8 LIMIT 1"
)

# A rebuild looks at all events; an incremental run at all events of the tries that have new ones.
ALL_EVENTS = """
CREATE TEMP VIEW rollup_source AS
SELECT notification_id, channel, provider, message_type, user_id, domain, kind, at, is_machine, price, false AS was_known
FROM delivery_events WHERE ins_xid < %(hi)s::xid8 AND notification_id IS NOT NULL
"""
CHANGED_TRIES = """
CREATE TEMP TABLE rollup_changed ON COMMIT DROP AS
SELECT DISTINCT notification_id, channel, provider FROM delivery_events
WHERE ins_xid >= %(lo)s::xid8 AND ins_xid < %(hi)s::xid8 AND notification_id IS NOT NULL;
ANALYZE rollup_changed
"""
EVENTS_OF_CHANGED_TRIES = """
CREATE TEMP TABLE rollup_source ON COMMIT DROP AS
SELECT e.notification_id, e.channel, e.provider, e.message_type, e.user_id, e.domain, e.kind, e.at, e.is_machine,
       e.price, e.ins_xid < %(lo)s::xid8 AS was_known
FROM rollup_changed c
JOIN delivery_events e ON e.notification_id = c.notification_id AND e.channel = c.channel AND e.provider = c.provider
WHERE e.ins_xid < %(hi)s::xid8
"""
# Sign −1 gives the tries as they were counted before, so that the sum of both is the change.
_TRIES = """
WITH raw AS (
    SELECT notification_id, channel, provider,
        max(message_type COLLATE "C") FILTER (WHERE kind = 'sent') AS message_type,
        max(user_id COLLATE "C") FILTER (WHERE kind = 'sent') AS user_id,
        max(domain COLLATE "C") FILTER (WHERE kind = 'sent') AS domain,
        min(at) FILTER (WHERE kind = 'sent') AS sent_at,
        min(at) FILTER (WHERE kind = 'delivered') AS delivered_at,
        bool_or(kind IN ('bounced_hard', 'bounced_soft', 'failed')) AS refused,
        bool_or(kind = 'bounced_hard') AS bounced_hard,
        min(at) FILTER (WHERE kind = 'opened' AND NOT is_machine) AS first_open,
        max(at) FILTER (WHERE kind = 'opened' AND NOT is_machine) AS last_open,
        array_agg(at) FILTER (WHERE kind = 'opened') AS opens,
        array_agg(is_machine) FILTER (WHERE kind = 'opened') AS open_machines,
        min(at) FILTER (WHERE kind = 'clicked' AND NOT is_machine) AS first_click,
        max(at) FILTER (WHERE kind = 'clicked' AND NOT is_machine) AS last_click,
        array_agg(at) FILTER (WHERE kind = 'clicked') AS clicks,
        array_agg(is_machine) FILTER (WHERE kind = 'clicked') AS click_machines,
        min(at) FILTER (WHERE kind = 'unsubscribed') AS unsubscribed_at,
        min(at) FILTER (WHERE kind = 'complained') AS complained_at,
        coalesce(max(price) FILTER (WHERE kind <> 'sent'), max(price), 0) AS price
    FROM rollup_source WHERE was_known OR %(sign)s = 1
    GROUP BY notification_id, channel, provider
), answered AS (
    SELECT raw.*, delivered_at IS NOT NULL AS arrived, channel = 'email' AND delivered_at IS NOT NULL AS tracked,
        CASE WHEN last_open < delivered_at + interval '3 s' THEN NULL
             WHEN first_open < delivered_at + interval '3 s' THEN first_by_human(opens, open_machines, delivered_at, false)
             ELSE first_open END AS opened_at,
        CASE WHEN cardinality(clicks) > 2 THEN first_by_human(clicks, click_machines, delivered_at, true)
             WHEN last_click < delivered_at + interval '3 s' THEN NULL
             WHEN first_click < delivered_at + interval '3 s' THEN last_click
             ELSE first_click END AS clicked_at
    FROM raw WHERE sent_at IS NOT NULL
)
SELECT %(sign)s AS sign, notification_id, channel, provider, message_type, user_id, domain, sent_at, delivered_at,
    CASE WHEN channel = 'email' THEN opened_at END AS opened_at, clicked_at,
    least(unsubscribed_at, complained_at) AS negative_at,
    (arrived OR refused)::int AS ended, arrived::int AS delivered,
    coalesce(delivered_at - sent_at <= interval '10 min', false)::int AS timely, bounced_hard::int AS bounced_hard,
    tracked::int AS tracked, (tracked AND opened_at IS NOT NULL)::int AS opened,
    (tracked AND opens IS NOT NULL AND opened_at IS NULL)::int AS opened_by_machine,
    (tracked AND opens IS NOT NULL)::int AS opened_at_all, (arrived AND clicked_at IS NOT NULL)::int AS clicked,
    (arrived AND unsubscribed_at IS NOT NULL)::int AS unsubscribed,
    (arrived AND complained_at IS NOT NULL)::int AS complained, round(abs(price) * 1000000)::bigint AS micros
FROM answered
"""
TRIES = "CREATE TEMP TABLE rollup_tries ON COMMIT DROP AS " + _TRIES
"""The tries as they are now."""
ALL_TRIES = "CREATE UNLOGGED TABLE rollup_tries AS " + _TRIES
"""The same for a rebuild: a table that parallel workers can read, gone again before its transaction ends."""
TRIES_BEFORE = "INSERT INTO rollup_tries " + _TRIES
"""The tries as they were counted by the last run, with sign −1."""

COUNTS = (
    "sent", "ended", "delivered", "timely", "bounced_hard", "tracked", "opened", "opened_by_machine", "opened_at_all",
    "clicked", "unsubscribed", "complained", "micros",
)  # fmt: skip
_COUNTED = ", ".join(
    [
        "sum(sign)::bigint AS sent",
        *(f"sum(sign * {name})::bigint AS {name}" for name in COUNTS if name != "sent"),
    ]
)


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums by keys, and the query that finds what to add: the keys, then the values, in this order."""

    table: str
    keys: Sequence[str]
    values: Sequence[str]
    query: str

    def build(self) -> str:
        """Puts what there is to add aside: parallel workers may help with CREATE TABLE AS, never with INSERT."""
        return "CREATE UNLOGGED TABLE rollup_built AS SELECT {columns} FROM ({query}) AS found".format_map(
            self._parts()
        )

    def insert(self) -> str:
        """Fills the empty table with what was put aside, in the order of its key."""
        return (
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM rollup_built ORDER BY {keys};"
            " DROP TABLE rollup_built"
        ).format_map(self._parts())

    def merge(self) -> str:
        """Adds to the table; a row whose sums are all back at zero goes."""
        return (
            "MERGE INTO {table} AS kept USING (SELECT * FROM ({query}) AS found WHERE {changed}) AS found ON {same}"
            " WHEN MATCHED AND {gone} THEN DELETE WHEN MATCHED THEN UPDATE SET {added}"
            " WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({found})"
        ).format_map(self._parts())

    def _parts(self) -> dict[str, str]:
        columns = [*self.keys, *self.values]
        return {
            "table": self.table,
            "query": self.query.replace("COUNTED", _COUNTED),
            "columns": ", ".join(columns),
            "keys": ", ".join(self.keys),
            "found": ", ".join(f"found.{name}" for name in columns),
            "same": " AND ".join(f"kept.{name} = found.{name}" for name in self.keys),
            "changed": " OR ".join(f"{name} <> 0" for name in self.values),
            "gone": " AND ".join(f"kept.{name} + found.{name} = 0" for name in self.values),
            "added": ", ".join(f"{name} = kept.{name} + found.{name}" for name in self.values),
        }


OF_TRIES = (
    Rollup(
        "try_slots", ("slot", "channel", "provider", "message_type"), COUNTS,
        "SELECT date_bin('5 min', sent_at, 'epoch') AS slot, channel, provider, message_type, COUNTED"
        " FROM rollup_tries GROUP BY 1, 2, 3, 4",
    ),
    Rollup(
        "try_domains", ("hour", "channel", "provider", "domain"), COUNTS,
        "SELECT date_bin('1 hour', sent_at, 'epoch') AS hour, channel, provider, domain, COUNTED"
        " FROM rollup_tries GROUP BY 1, 2, 3, 4",
    ),
    Rollup(
        "campaign_days", ("day", "channel", "message_type", "campaign", "template"), COUNTS,
        """SELECT date_bin('1 day', t.sent_at, 'epoch') AS day, t.channel, t.message_type,
            coalesce(n.campaign, '') AS campaign, coalesce(a.template, '') AS template, COUNTED
        FROM rollup_tries t
        LEFT JOIN notifications n ON n.id = t.notification_id
        LEFT JOIN (SELECT notification_id, channel, provider, max(template) AS template FROM attempts
                   WHERE notification_id IN (SELECT notification_id FROM rollup_tries) GROUP BY 1, 2, 3) AS a
            ON a.notification_id = t.notification_id AND a.channel = t.channel AND a.provider = t.provider
        GROUP BY 1, 2, 3, 4, 5""",
    ),
    Rollup(
        # milliseconds to bucket as in analytics.latency: ceil(ln(ms) / ln(1.0408)), 1 ms and less in bucket 0
        "latency_hours", ("hour", "channel", "provider", "message_type", "bucket"), ("tries",),
        """SELECT date_bin('1 hour', sent_at, 'epoch') AS hour, channel, provider, message_type,
            ceil(ln(greatest(extract(epoch FROM delivered_at - sent_at)::float8 * 1000, 1)) / ln(1.0408::float8) - 1e-9)::smallint
                AS bucket, sum(sign) AS tries
        FROM rollup_tries WHERE delivered_at >= sent_at GROUP BY 1, 2, 3, 4, 5""",
    ),
    Rollup(
        "user_days", ("user_id", "channel", "day"), ("sent", "engaged", "negative"),
        """SELECT user_id, channel, date_bin('1 day', at, 'epoch') AS day, sum(sent)::int AS sent,
            sum(engaged)::int AS engaged, sum(negative)::int AS negative
        FROM (SELECT user_id, channel, sent_at AS at, sign AS sent, 0 AS engaged, 0 AS negative FROM rollup_tries
              UNION ALL SELECT user_id, channel, least(opened_at, clicked_at), 0, sign, 0 FROM rollup_tries
                  WHERE opened_at IS NOT NULL OR clicked_at IS NOT NULL
              UNION ALL SELECT user_id, channel, negative_at, 0, 0, sign FROM rollup_tries WHERE negative_at IS NOT NULL
        ) AS facts WHERE user_id IS NOT NULL GROUP BY 1, 2, 3""",
    ),
    Rollup(
        "person_hours", ("user_id", "channel", "at"), ("opens", "clicks"),
        """SELECT user_id, channel, date_bin('30 min', at, 'epoch') AS at, sum(opens)::int AS opens, sum(clicks)::int AS clicks
        FROM (SELECT user_id, channel, opened_at AS at, sign AS opens, 0 AS clicks FROM rollup_tries
                  WHERE opened_at IS NOT NULL
              UNION ALL SELECT user_id, channel, clicked_at, 0, sign FROM rollup_tries WHERE clicked_at IS NOT NULL
        ) AS facts WHERE user_id IS NOT NULL GROUP BY 1, 2, 3""",
    ),
)  # fmt: skip
"""What the tries of `rollup_tries` add to."""
OF_EVENTS = (
    Rollup(
        "event_hours", ("hour", "channel", "provider", "message_type", "kind", "is_machine"), ("events",),
        "SELECT date_bin('1 hour', at, 'epoch') AS hour, channel, provider, message_type, kind, is_machine,"
        " count(*) AS events FROM delivery_events"
        " WHERE ins_xid >= %(lo)s::xid8 AND ins_xid < %(hi)s::xid8 GROUP BY 1, 2, 3, 4, 5, 6",
    ),
)  # fmt: skip
"""What the new events themselves add to."""
EMPTY = "TRUNCATE try_slots, try_domains, campaign_days, latency_hours, user_days, person_hours, event_hours"
