"""Posts callbacks to the product: one client, many at once, retried as each vendor retries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from sandbox.store import Store

AT_ONCE = 64
TIMEOUT_S = 15.0  # Twilio waits 15 s for a webhook's answer, Svix as long


@dataclass(frozen=True, slots=True)
class Callback:
    """One webhook: who it is about, what it says, and how to sign it (again for each try)."""

    provider: str
    id: str
    event: str
    url: str
    body: bytes
    sign: Callable[[], dict[str, str]]
    retry_after_s: tuple[float, ...] = ()  # waits before further tries
    retry_on_answer: bool = (
        False  # whether an answer other than 2xx is retried too, or only a failed connection
    )


class Courier:
    """Posts callbacks; each try is noted in the journal with its answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, callback: Callback) -> str | None:
        """Post until it is taken or the tries are used up; the body of a 2xx answer, else None."""
        for wait in (*callback.retry_after_s, None):
            status, answer = await self._try(callback)
            if 200 <= status < 300:
                return answer
            if wait is None or (status and not callback.retry_on_answer):
                break
            await asyncio.sleep(wait)
        return None

    async def _try(self, callback: Callback) -> tuple[int, str]:
        status, answer, reason = 0, "", None
        async with self._slots:
            try:
                async with self._client().post(
                    URL(callback.url, encoded=True),  # as signed, byte for byte
                    data=callback.body,
                    headers=callback.sign(),
                ) as response:
                    answer = await response.text(errors="replace")
                    status = response.status
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                reason = type(error).__name__
        self._store.keep(
            {
                "at": datetime.now(UTC).isoformat(),
                "callback": callback.event,
                "provider": callback.provider,
                "about": callback.id,
                "url": callback.url,
                "answer": status,
                "error": reason,
            }
        )
        return status, answer

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=False),  # webhooks of a local web app
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                auto_decompress=True,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
