"""What most people write: a Celery task that calls the provider, with late acknowledgement and rejection on a lost worker."""

import os
import urllib.parse
import urllib.request
from base64 import b64encode
from typing import Any

from celery import Celery

app = Celery("plain", broker=os.environ["PLAIN_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": int(os.environ.get("PLAIN_VISIBILITY", "30"))},
)


@app.task(bind=True, name="plain.send", max_retries=3, default_retry_delay=1)
def send(self: Any, to: str, text: str) -> None:
    """One message to the provider; tried again when that raises."""
    sid, token = os.environ["PLAIN_SID"], os.environ["PLAIN_TOKEN"]
    request = urllib.request.Request(
        f"{os.environ['PLAIN_SANDBOX']}/2010-04-01/Accounts/{sid}/Messages.json",
        data=urllib.parse.urlencode({"To": to, "From": "+15005550006", "Body": text}).encode(),
        headers={"Authorization": "Basic " + b64encode(f"{sid}:{token}".encode()).decode()},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
    except OSError as error:
        raise self.retry(exc=error) from error
