"""The SQL of the rollups: from events to tries, and from tries (added with +1, taken back with −1) to counts.

Parameters are psycopg2's; `lo` and `hi` are transaction ids between which events are new.
"""

from collections.abc import Mapping, Sequence

COUNTS = (
    "sent", "ended", "delivered", "timely", "bounced_hard", "tracked", "opened", "opened_by_machine", "opened_at_all",
    "clicked", "unsubscribed", "complained", "micros",
)  # fmt: skip

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
NO_TRIES = """
CREATE TEMP TABLE rollup_tries (
    sign smallint, notification_id uuid, channel text, provider text, message_type text, user_id text, domain text,
    sent_at timestamptz, delivered_at timestamptz, opened_at timestamptz, clicked_at timestamptz, negative_at timestamptz,
    ended smallint, delivered smallint, timely smallint, bounced_hard smallint, tracked smallint, opened smallint,
    opened_by_machine smallint, opened_at_all smallint, clicked smallint, unsubscribed smallint, complained smallint,
    micros bigint
) ON COMMIT DROP
"""
# Sign −1 gives the tries as they were counted before, so that the sum of both is the change.
TRIES = """
INSERT INTO rollup_tries
WITH raw AS (
    SELECT notification_id, channel, provider, max(message_type COLLATE "C") AS message_type,
        max(user_id COLLATE "C") AS user_id, max(domain COLLATE "C") AS domain,
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
        coalesce(sum(price), 0) AS price  -- the estimate and its correction
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
SELECT %(sign)s, notification_id, channel, provider, message_type, user_id, domain, sent_at, delivered_at,
    CASE WHEN channel = 'email' THEN opened_at END, clicked_at, least(unsubscribed_at, complained_at),
    (arrived OR refused)::int, arrived::int, coalesce(delivered_at - sent_at <= interval '10 min', false)::int,
    bounced_hard::int, tracked::int, (tracked AND opened_at IS NOT NULL)::int,
    (tracked AND opens IS NOT NULL AND opened_at IS NULL)::int, (tracked AND opens IS NOT NULL)::int,
    (arrived AND clicked_at IS NOT NULL)::int, (arrived AND unsubscribed_at IS NOT NULL)::int,
    (arrived AND complained_at IS NOT NULL)::int, round(abs(price) * 1000000)
FROM answered
"""
# Milliseconds to bucket as in analytics.latency: ceil(ln(ms) / ln(1.0408)), 1 ms and less in bucket 0.
LATENCY = """
MERGE INTO latency_hours AS kept USING (
    SELECT date_bin('1 hour', sent_at, 'epoch') AS hour, channel, provider, message_type,
        ceil(ln(greatest(extract(epoch FROM delivered_at - sent_at)::float8 * 1000, 1)) / ln(1.0408::float8) - 1e-9)::smallint
            AS bucket, sum(sign) AS tries
    FROM rollup_tries WHERE delivered_at >= sent_at GROUP BY 1, 2, 3, 4, 5 HAVING sum(sign) <> 0
) AS found USING_KEY
WHEN MATCHED AND kept.tries + found.tries = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET tries = kept.tries + found.tries
WHEN NOT MATCHED THEN INSERT (hour, channel, provider, message_type, bucket, tries)
    VALUES (found.hour, found.channel, found.provider, found.message_type, found.bucket, found.tries)
"""
USER_DAYS = """
MERGE INTO user_days AS kept USING (
    SELECT user_id, channel, date_bin('1 day', at, 'epoch') AS day, sum(sent)::int AS sent, sum(engaged)::int AS engaged,
        sum(negative)::int AS negative
    FROM (SELECT user_id, channel, sent_at AS at, sign AS sent, 0 AS engaged, 0 AS negative FROM rollup_tries
          UNION ALL SELECT user_id, channel, least(opened_at, clicked_at), 0, sign, 0 FROM rollup_tries
              WHERE opened_at IS NOT NULL OR clicked_at IS NOT NULL
          UNION ALL SELECT user_id, channel, negative_at, 0, 0, sign FROM rollup_tries WHERE negative_at IS NOT NULL) AS facts
    WHERE user_id IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(sent) <> 0 OR sum(engaged) <> 0 OR sum(negative) <> 0
) AS found USING_KEY
WHEN MATCHED AND kept.sent + found.sent = 0 AND kept.engaged + found.engaged = 0 AND kept.negative + found.negative = 0
    THEN DELETE
WHEN MATCHED THEN UPDATE SET sent = kept.sent + found.sent, engaged = kept.engaged + found.engaged,
    negative = kept.negative + found.negative
WHEN NOT MATCHED THEN INSERT (user_id, channel, day, sent, engaged, negative)
    VALUES (found.user_id, found.channel, found.day, found.sent, found.engaged, found.negative)
"""
PERSON_HOURS = """
MERGE INTO person_hours AS kept USING (
    SELECT user_id, channel, date_bin('30 min', at, 'epoch') AS at, sum(opens)::int AS opens, sum(clicks)::int AS clicks
    FROM (SELECT user_id, channel, opened_at AS at, sign AS opens, 0 AS clicks FROM rollup_tries WHERE opened_at IS NOT NULL
          UNION ALL SELECT user_id, channel, clicked_at, 0, sign FROM rollup_tries WHERE clicked_at IS NOT NULL) AS facts
    WHERE user_id IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(opens) <> 0 OR sum(clicks) <> 0
) AS found USING_KEY
WHEN MATCHED AND kept.opens + found.opens = 0 AND kept.clicks + found.clicks = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET opens = kept.opens + found.opens, clicks = kept.clicks + found.clicks
WHEN NOT MATCHED THEN INSERT (user_id, channel, at, opens, clicks)
    VALUES (found.user_id, found.channel, found.at, found.opens, found.clicks)
"""
EVENT_HOURS = """
MERGE INTO event_hours AS kept USING (
    SELECT date_bin('1 hour', at, 'epoch') AS hour, channel, provider, message_type, kind, is_machine, count(*) AS events
    FROM delivery_events WHERE ins_xid >= %(lo)s::xid8 AND ins_xid < %(hi)s::xid8 GROUP BY 1, 2, 3, 4, 5, 6
) AS found USING_KEY
WHEN MATCHED THEN UPDATE SET events = kept.events + found.events
WHEN NOT MATCHED THEN INSERT (hour, channel, provider, message_type, kind, is_machine, events)
    VALUES (found.hour, found.channel, found.provider, found.message_type, found.kind, found.is_machine, found.events)
"""

_SLOTS = "SELECT date_bin('5 min', sent_at, 'epoch') AS slot, channel, provider, message_type, COUNTED FROM rollup_tries"
_DOMAINS = "SELECT date_bin('1 hour', sent_at, 'epoch') AS hour, channel, provider, domain, COUNTED FROM rollup_tries"
_CAMPAIGNS = """
SELECT date_bin('1 day', t.sent_at, 'epoch') AS day, t.channel, t.message_type, coalesce(n.campaign, '') AS campaign,
    coalesce(a.template, '') AS template, COUNTED
FROM rollup_tries t
LEFT JOIN notifications n ON n.id = t.notification_id
LEFT JOIN (SELECT notification_id, channel, provider, max(template) AS template FROM attempts
           WHERE notification_id IN (SELECT notification_id FROM rollup_tries) GROUP BY 1, 2, 3) AS a
    ON a.notification_id = t.notification_id AND a.channel = t.channel AND a.provider = t.provider
"""
_MERGE_COUNTS = """
MERGE INTO TABLE AS kept USING (SOURCE GROUP BY 1, 2, 3, 4 MORE HAVING CHANGED) AS found USING_KEY
WHEN MATCHED AND kept.sent + found.sent = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET SUMS
WHEN NOT MATCHED THEN INSERT (KEYS, COLUMNS) VALUES (FOUND_KEYS, FOUND_COLUMNS)
"""
_SUMMED = ", ".join(
    [
        "sum(sign)::bigint AS sent",
        *(f"sum(sign * {name})::bigint AS {name}" for name in COUNTS if name != "sent"),
    ]
)
_CHANGED = " OR ".join(["sum(sign) <> 0", *(f"sum(sign * {name}) <> 0" for name in COUNTS if name != "sent")])


def _keyed(statement: str, keys: Sequence[str]) -> str:
    return statement.replace("USING_KEY", "ON " + " AND ".join(f"kept.{key} = found.{key}" for key in keys))


def _counting(table: str, source: str, keys: Sequence[str]) -> str:
    parts = {
        "SOURCE": source.replace("COUNTED", _SUMMED),
        "MORE": ", 5" if len(keys) == 5 else "",
        "CHANGED": _CHANGED,
        "SUMS": ", ".join(f"{name} = kept.{name} + found.{name}" for name in COUNTS),
        "FOUND_KEYS": ", ".join(f"found.{key}" for key in keys),
        "FOUND_COLUMNS": ", ".join(f"found.{name}" for name in COUNTS),
        "KEYS": ", ".join(keys),
        "COLUMNS": ", ".join(COUNTS),
        "TABLE": table,
    }
    statement = _MERGE_COUNTS
    for mark, text in parts.items():
        statement = statement.replace(mark, text)
    return _keyed(statement, keys)


OF_TRIES: Mapping[str, str] = {
    "try_slots": _counting("try_slots", _SLOTS, ("slot", "channel", "provider", "message_type")),
    "try_domains": _counting("try_domains", _DOMAINS, ("hour", "channel", "provider", "domain")),
    "campaign_days": _counting(
        "campaign_days", _CAMPAIGNS, ("day", "channel", "message_type", "campaign", "template")
    ),
    "latency_hours": _keyed(LATENCY, ("hour", "channel", "provider", "message_type", "bucket")),
    "user_days": _keyed(USER_DAYS, ("user_id", "channel", "day")),
    "person_hours": _keyed(PERSON_HOURS, ("user_id", "channel", "at")),
}
"""rollup → the statement that adds the tries of `rollup_tries` to it."""
OF_EVENTS: Mapping[str, str] = {
    "event_hours": _keyed(EVENT_HOURS, ("hour", "channel", "provider", "message_type", "kind", "is_machine"))
}
"""rollup → the statement that adds the new events themselves to it."""
EMPTY = """
DELETE FROM try_slots; DELETE FROM try_domains; DELETE FROM campaign_days; DELETE FROM latency_hours;
DELETE FROM user_days; DELETE FROM person_hours; DELETE FROM event_hours
"""
