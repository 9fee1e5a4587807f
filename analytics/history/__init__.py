"""A believable past of any size, for the demo, for tests and for benches; nothing in it is random twice for one seed.

people (zones, rhythms, habits) ─▶ each day: who is sent what, when ─▶ what became of it ─▶ COPY

What makes it believable: people live in time zones and have rhythms; whether somebody opens depends on the hour of the
send (the confounding that a send-time model must see through); privacy proxies and scanners open and click; rates vary
more than a coin would; providers have incidents; some receipts come hours late and some never; people unsubscribe.
"""

from analytics.history.people import People, invent_people
from analytics.history.tables import Payload
from analytics.history.write import Written, write_events, write_history

__all__ = ["Payload", "People", "Written", "invent_people", "write_events", "write_history"]
