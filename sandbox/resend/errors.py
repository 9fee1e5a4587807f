"""Resend's refusals: name, HTTP status and wording (resend.com/docs/api-reference/errors)."""

from sandbox.exchange import Refusal

ERRORS: dict[str, tuple[int, str]] = {
    "invalid_idempotency_key": (400, "The key must be between 1-256 chars."),
    "validation_error": (422, "We found an error with one or more fields in the request."),
    "missing_api_key": (401, "Missing API key in the authorization header."),
    "restricted_api_key": (401, "This API key is restricted to only send emails."),
    "invalid_api_key": (403, "API key is invalid."),
    "not_found": (404, "The requested endpoint does not exist."),
    "method_not_allowed": (405, "Method is not allowed for the requested path."),
    "invalid_idempotent_request": (409, "Same idempotency key used with a different request payload."),
    "concurrent_idempotent_requests": (
        409,
        "Same idempotency key used while original request is still in progress.",
    ),
    "invalid_attachment": (422, "Attachment must have either a `content` or `path`."),
    "invalid_from_address": (
        422,
        "Invalid `from` field. The email address needs to follow the format `Name <email@example.com>`.",
    ),
    "invalid_parameter": (422, "The `id` must be a valid UUID."),
    "missing_required_field": (422, "The request body is missing one or more required fields."),
    "monthly_quota_exceeded": (429, "You have reached your monthly email quota."),
    "daily_quota_exceeded": (429, "You have reached your daily email quota."),
    "rate_limit_exceeded": (429, "Too many requests. Please limit the number of requests per second."),
    "security_error": (451, "We may have found a security issue with the request."),
    "application_error": (500, "An unexpected error occurred."),
    "internal_server_error": (500, "An unexpected error occurred."),
}


def resend_refusal(
    name: str, message: str | None = None, *, status: int | None = None, retry_after: int | None = None
) -> Refusal:
    """A refusal with Resend's body."""
    default_status, default_message = ERRORS.get(name, (400, "The request was refused."))
    status = status or default_status
    body = {"statusCode": status, "name": name, "message": message or default_message}
    return Refusal(status, name, body, {} if retry_after is None else {"retry-after": str(retry_after)})
