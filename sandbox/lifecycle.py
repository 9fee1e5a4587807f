"""What becomes of a taken message: its statuses one after the other, each called back."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from sandbox.courier import Callback, Courier
from sandbox.faults import CallbackPlan
from sandbox.store import Record, Store

SIGNATURES = frozenset({"X-Twilio-Signature", "svix-signature"})
LIES = {
    "twilio": (re.compile(rb"(MessageStatus|SmsStatus)=\w+"), rb"\1=failed"),
    "resend": (re.compile(rb'"type":"email\.\w+"'), b'"type":"email.complained"'),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A status a message enters so many seconds after the one before; quiet steps are not called back."""

    status: str
    after_s: float
    error_code: int | None = None
    quiet: bool = False


class Lifecycle:
    """Runs the steps of every message that is under way."""

    def __init__(self, store: Store, courier: Courier) -> None:
        self._store = store
        self._courier = courier
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        record: Record,
        steps: list[Step],
        plan: CallbackPlan,
        compose: Callable[[Record], Callback | None],
    ) -> None:
        """Set a message going; `compose` makes the callback for the status it is in at that moment."""
        self._under_way[record.id] = self.aside(self._run(record, steps, plan, compose))

    async def _run(
        self,
        record: Record,
        steps: list[Step],
        plan: CallbackPlan,
        compose: Callable[[Record], Callback | None],
    ) -> None:
        outgoing: list[Callback] = []
        last: asyncio.Task[None] | None = None
        for step in steps:
            await asyncio.sleep(step.after_s)
            self._store.enter(record, step.status, step.error_code)
            callback = None if step.quiet or plan.drop else compose(record)
            if callback is None:
                continue
            if plan.reorder:
                outgoing.append(callback)
            else:
                last = self.aside(self._post(callback, plan, after=last))
        for callback in reversed(outgoing):
            last = self.aside(self._post(callback, plan, after=last))
        self._under_way.pop(record.id, None)

    async def _post(
        self, callback: Callback, plan: CallbackPlan, *, after: asyncio.Task[None] | None
    ) -> None:
        """Post one callback, in its turn, as often and as forged as the plan says."""
        if after is not None:
            await after
        if plan.forge:
            await self._courier.post(forge(callback))
        for _ in range(plan.copies):
            await self._courier.post(callback)

    def aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the requests; it is ended when the sandbox ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self, record: Record) -> None:
        """Let nothing more happen to a message (a scheduled one that was cancelled)."""
        if task := self._under_way.pop(record.id, None):
            task.cancel()

    async def stop(self) -> None:
        """End everything that is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def forge(callback: Callback) -> Callback:
    """A callback that tells a lie under a signature of the right form that no key made."""
    truth, falsehood = LIES[callback.provider]

    def sign() -> dict[str, str]:
        headers = callback.sign()
        for name in SIGNATURES & headers.keys():
            head, comma, signature = headers[name].rpartition(",")
            headers[name] = head + comma + signature.swapcase()
        return headers

    body = truth.sub(falsehood, callback.body)
    return replace(callback, event=f"forged {callback.event}", body=body, sign=sign, retry_after_s=())
