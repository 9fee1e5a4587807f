"""One message to one person: the public door.

    accept(request) · accept_many(requests)   durable when they return
    deliver(ids)                               as far as they can come now

and the specification's five helpers, which are the pipeline's own parts.
"""

from delivery.dispatcher import Report, deliver
from delivery.intake import Accepted, Refused, Request, accept, accept_many
from delivery.public import (
    generate_personalized_content,
    handle_failed_delivery,
    log_delivery_status,
    track_communication_cost,
    validate_user_preferences,
)

__all__ = [
    "Accepted",
    "Refused",
    "Report",
    "Request",
    "accept",
    "accept_many",
    "deliver",
    "generate_personalized_content",
    "handle_failed_delivery",
    "log_delivery_status",
    "track_communication_cost",
    "validate_user_preferences",
]
