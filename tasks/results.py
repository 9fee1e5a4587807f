"""Results of live alerts in Redis, for callers that wait for them: two round trips less than Celery's own backend.

Celery subscribes to a result's channel when it publishes, whether anybody will ask or not, and reads what is stored before
it stores. Here a caller subscribes when it asks (`.get()` does so, then looks whether the result is there already), and
the newest word stands: a second delivery of an id finds what became of the notification and says the same.
"""

from typing import Any

from celery.backends.redis import RedisBackend


class ResultBackend(RedisBackend):  # type: ignore[misc]  # celery has no types
    """Celery's Redis backend, for results that few ask for."""

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Nothing: see the module's story."""

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        self._set_with_state(self.get_key_for_task(task_id), self.encode(meta | {"task_id": task_id}), state)
        return result


def backend_at(address: str) -> str:
    """`address` (redis:// or rediss://) as Celery's `result_backend`, with this backend; others as they are."""
    return (
        f"tasks.results:ResultBackend+{address}" if address.startswith(("redis://", "rediss://")) else address
    )
