"""What is asked for and looked after each minute: late receipts, and the money spent."""

from core.clock import utc_now
from tasks.app import app
from tasks.single_flight import single_flight


@app.task(name="tasks.poll_unconfirmed")
@single_flight("poll_unconfirmed")
def poll_unconfirmed() -> None:
    """Ask providers for messages whose receipt is late."""
    from delivery import polling

    polling.poll_unconfirmed()


@app.task(name="tasks.watch_budgets")
@single_flight("watch_budgets")
def watch_budgets() -> None:
    """Tell operators which marks the budgets have passed."""
    from delivery import budgets

    budgets.watch(utc_now())
