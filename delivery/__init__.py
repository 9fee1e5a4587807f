"""One message to one person: the public door.

accept(request) · accept_many(requests)   durable when they return
deliver(ids)                               as far as they can come now
"""

from delivery.dispatcher import Report, deliver
from delivery.intake import Accepted, Refused, Request, accept, accept_many

__all__ = ["Accepted", "Refused", "Report", "Request", "accept", "accept_many", "deliver"]
