"""The ASGI application: both vendors' fronts, the control API and the inbox over one store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from sandbox.bad_request import BadRequestError
from sandbox.control import bad_request, control_routes
from sandbox.courier import Courier
from sandbox.exchange import answer
from sandbox.faults import Faults
from sandbox.inbox import inbox_routes
from sandbox.lifecycle import Lifecycle
from sandbox.resend.api import resend_routes
from sandbox.resend.errors import resend_refusal
from sandbox.resend.front import ResendFront
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.twilio.api import twilio_routes
from sandbox.twilio.errors import twilio_refusal
from sandbox.twilio.front import TwilioFront


def build_app(settings: Settings) -> Starlette:
    """The application; reads the ledger at once and goes on with what was under way when it serves."""
    store = Store(settings.data)
    courier = Courier(store)
    lifecycle = Lifecycle(store, courier)
    faults = Faults()
    twilio = TwilioFront(settings, store, faults, lifecycle)
    resend = ResendFront(settings, store, faults, lifecycle)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        twilio.resume()
        resend.resume()
        yield
        await lifecycle.stop()
        await courier.close()
        store.close()

    routes = [
        *twilio_routes(twilio),
        *resend_routes(resend),
        *control_routes(twilio, resend, courier),
        *inbox_routes(store, faults),
    ]
    handlers = {404: _not_found, 405: _not_allowed, BadRequestError: bad_request}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


def _vendor_error(request: Request, twilio_code: int, name: str) -> Response:
    if request.url.path.startswith("/2010-04-01"):
        refusal = twilio_refusal(twilio_code, path=request.url.path)
    else:
        refusal = resend_refusal(name)
    return answer(refusal.status, refusal.body)


def _not_found(request: Request, _: Exception) -> Response:
    return _vendor_error(request, 20404, "not_found")


def _not_allowed(request: Request, _: Exception) -> Response:
    return _vendor_error(request, 20004, "method_not_allowed")
