"""Processing what providers told us, away from the web app that answered them."""

from tasks.app import app
from tasks.single_flight import single_flight

BATCH = 500
MOST = 20_000


@app.task(name="tasks.apply_callbacks")
@single_flight("apply_callbacks")
def apply_callbacks() -> None:
    """Apply all waiting callbacks, in batches of one transaction each."""
    from delivery.receipts import apply_waiting

    for _ in range(MOST // BATCH):
        if apply_waiting(limit=BATCH) < BATCH:
            return
