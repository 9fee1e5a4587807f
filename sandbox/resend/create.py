"""Sending emails, one or a batch: checked, made once per idempotency key, and answered as Resend does."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from sandbox.exchange import Acceptance, Refusal
from sandbox.faults import Hit, refusal_status, retry_after
from sandbox.ledger import Entry
from sandbox.resend.errors import resend_refusal
from sandbox.resend.front import ResendFront
from sandbox.resend.idempotency import fingerprint
from sandbox.resend.validation import bare, check_email, many, sort_attachments
from sandbox.store import Record

MAX_BATCH = 100
MAX_KEY = 256


@dataclass(slots=True)
class SendEmails:
    """One `POST /emails` or `POST /emails/batch`; a single email is a batch of one with another answer."""

    front: ResendFront
    request: Request
    document: Any
    in_batch: bool
    provider: str = "resend"
    _batch_id: str = field(default_factory=lambda: uuid4().hex, init=False)

    @property
    def key(self) -> str | None:
        """The idempotency key, if one was given."""
        return self.request.headers.get("idempotency-key")

    @property
    def permissive(self) -> bool:
        """Whether the good emails of a batch are sent when others are bad."""
        return (
            self.in_batch and self.request.headers.get("x-batch-validation", "strict").lower() == "permissive"
        )

    @property
    def emails(self) -> list[Any]:
        """The emails of the request, whatever they look like."""
        if self.in_batch:
            return self.document if isinstance(self.document, list) else []
        return [self.document]

    @property
    def to(self) -> list[str]:
        """Every recipient, without display names."""
        return [bare(a) for email in self.emails if isinstance(email, dict) for a in many(email.get("to"))]

    def begin(self) -> None:
        """Let the request in: key, rate limit, and its idempotency key taken into use."""
        self.front.authenticate(self.request)
        self.front.spend()
        if self.key is not None:
            if not 1 <= len(self.key) <= MAX_KEY:
                raise resend_refusal("invalid_idempotency_key")
            self.front.book.claim(self.key)

    def settled(self) -> None:
        """The emails are taken or refused: the idempotency key is free for repeats."""
        if self.key is not None:
            self.front.book.release(self.key)

    def judge(self) -> Acceptance:
        """Take the emails as Resend would, or raise its Refusal."""
        digest = fingerprint(self.request.url.path, self.document) if self.key is not None else None
        if self.key is not None and digest is not None:
            earlier = self.front.book.earlier(self.key, digest)
            if earlier is not None:
                return Acceptance(self._replayed(earlier), 200, lambda _: earlier)
        errors = self._check()
        entries = [
            self._entry(email, index, digest, error=errors.get(index))
            for index, email in enumerate(self.emails)
        ]
        return Acceptance(entries, 200, lambda records: self._taken(records, errors, digest))

    def _check(self) -> dict[int, Refusal]:
        """The bad emails of a permissive batch; any other bad request raises."""
        if self.in_batch and not 1 <= len(self.emails) <= MAX_BATCH:
            raise resend_refusal("validation_error", f"A batch must hold between 1 and {MAX_BATCH} emails.")
        errors: dict[int, Refusal] = {}
        strict = self.front.settings.refuse_example_domains
        for index, email in enumerate(self.emails):
            try:
                check_email(email, in_batch=self.in_batch, refuse_example_domains=strict)
            except Refusal as refusal:
                if not self.permissive:
                    raise
                errors[index] = refusal
        return errors

    def _taken(self, records: list[Record], errors: dict[int, Refusal], digest: str | None) -> dict[str, Any]:
        """The answer, remembered under the key."""
        ids = [{"id": record.id} for record in records if record.taken]
        body: dict[str, Any] = {"data": ids} if self.in_batch else ids[0]
        if self.permissive:
            body["errors"] = [
                {"index": index, "message": bad.body["message"]} for index, bad in errors.items()
            ]
        if self.key is not None and digest is not None:
            self.front.book.remember(self.key, digest, body)
        return body

    def _replayed(self, body: dict[str, Any]) -> list[Entry]:
        ids = [row["id"] for row in body["data"]] if self.in_batch else [body["id"]]
        entries = [self._entry(email, index, None) for index, email in enumerate(self.emails)]
        taken = iter(ids)
        return [
            {**entry, "outcome": "replayed", "first_status": "replayed", "id": next(taken, None)}
            for entry in entries
        ]

    def _entry(self, email: Any, index: int, digest: str | None, *, error: Refusal | None = None) -> Entry:
        given: dict[str, Any] = email if isinstance(email, dict) else {}
        attachments = [item for item in given.get("attachments") or () if isinstance(item, dict)]
        kept, dropped = sort_attachments(attachments)
        tags = [tag for tag in given.get("tags") or () if isinstance(tag, dict)]
        email_id = None if error else str(uuid4())
        return {
            "provider": self.provider,
            "kind": "batch_email" if self.in_batch else "email",
            "id": email_id,
            "outcome": "refused" if error else "accepted",
            "code": error.code if error else None,
            "message": error.body["message"] if error else None,
            "http_status": 200,
            "first_status": "refused" if error else "scheduled" if given.get("scheduled_at") else "queued",
            "to": many(given.get("to")),
            "from": given.get("from"),
            "cc": many(given.get("cc")),
            "bcc": many(given.get("bcc")),
            "reply_to": many(given.get("reply_to")),
            "subject": given.get("subject"),
            "html": given.get("html"),
            "text": given.get("text"),
            "headers": given.get("headers") or {},
            "tags": {str(tag.get("name")): str(tag.get("value")) for tag in tags},
            "attachments": kept,
            "attachments_dropped": dropped,
            "scheduled_at": given.get("scheduled_at"),
            "message_id": f"<{email_id}@sandbox.invalid>",
            "status_callback": self.front.settings.resend_webhook_url or None,
            "idempotency_key": self.key,
            "request_hash": digest,
            "batch": self._membership(index) if self.in_batch else None,
        }

    def _membership(self, index: int) -> Entry:
        return {
            "id": self._batch_id,
            "index": index,
            "size": len(self.emails),
            "permissive": self.permissive,
            "taken": True,
        }

    def refused(self, refusal: Refusal) -> list[Entry]:
        """The ledger's entries of emails that were not taken."""
        entries = [
            self._entry(email, index, None, error=refusal) for index, email in enumerate(self.emails or [{}])
        ]
        refusal_fields = {"http_status": refusal.status, "message": refusal.body.get("message")}
        return [{**entry, **refusal_fields} for entry in entries]

    def start(self, records: list[Record]) -> None:
        """Set the accepted emails going."""
        for record in records:
            if record.taken:
                self.front.start(record)

    def fault(self, hit: Hit) -> Refusal:
        """Resend's wording of an injected refusal."""
        return resend_fault(hit)


def resend_fault(hit: Hit) -> Refusal:
    """Resend's wording of an injected refusal."""
    name = getattr(hit.params, "code", None)
    if hit.kind in {"429", "rate_limit"}:
        status = refusal_status(hit, 429)
        return resend_refusal(str(name or "rate_limit_exceeded"), status=status, retry_after=retry_after(hit))
    return resend_refusal(str(name or "internal_server_error"), status=refusal_status(hit, 500))
