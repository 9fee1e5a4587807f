"""What each code of the vendors' tables makes us do, written down a second time: a row can't change unnoticed."""

from collections.abc import Mapping, Sequence

import pytest

from core.vocabulary import ErrorClass, OutcomeKind
from delivery.messages import Outcome
from delivery.providers import aws_codes, resend_codes, twilio_codes
from delivery.reactions import closes


def act(row: Outcome) -> str:
    """What is done next about an outcome, in one word or two."""
    if row.kind is OutcomeKind.UNKNOWN:
        return "reconcile"
    if row.kind is OutcomeKind.QUOTA_EXHAUSTED:
        return "stop the route"
    if row.kind is OutcomeKind.RETRY_LATER:
        return "later"
    if row.error_class is ErrorClass.OURS:
        return "dead letter"
    if row.misconfigured:
        return "misconfigured"
    if row.suppress_address:
        return "suppress, next channel"
    if row.revoke_consent:
        return "revoke, next channel"
    return f"next {closes(row)}"


TWILIO: Mapping[str, Sequence[str]] = {
    "later": (
        "20429", "21611", "30001", "30003", "30008", "30022", "30023", "30027", "30047", "30410", "30610",
    ),
    "reconcile": ("20500", "20503"),
    "misconfigured": (
        "20003", "20404", "21606", "21608", "21212", "21659", "30002", "30032", "30034",
    ),
    "suppress, next channel": ("21211", "21614", "21635", "30006"),
    "revoke, next channel": ("21610",),
    "next route": ("21408", "21612"),
    "dead letter": ("21617", "21619"),
    "next channel": ("30004", "30005", "30007", "30036"),
}  # fmt: skip

RESEND: Mapping[str, Sequence[str]] = {
    "later": ("rate_limit_exceeded", "concurrent_idempotent_requests"),
    "stop the route": ("daily_quota_exceeded", "monthly_quota_exceeded"),
    "reconcile": (
        "invalid_idempotent_request", "application_error", "internal_server_error", "service_unavailable",
    ),
    "misconfigured": (
        "missing_api_key", "invalid_api_key", "restricted_api_key", "invalid_permissions", "invalid_access",
        "invalid_region", "invalid_from_address", "not_found", "method_not_allowed",
    ),
    "dead letter": (
        "validation_error", "missing_required_field", "missing_required_fields", "invalid_parameter",
        "invalid_attachment", "invalid_scope", "invalid_idempotency_key",
    ),
    "suppress, next channel": ("invalid_to_address",),
    "next channel": ("security_error",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "expected"),
    [(twilio_codes.CODES, TWILIO), (resend_codes.CODES, RESEND)],
    ids=["twilio", "resend"],
)
def test_every_code_makes_us_do_what_its_table_says(
    table: Mapping[str, Outcome], expected: Mapping[str, Sequence[str]]
) -> None:
    wanted = {code: what for what, codes in expected.items() for code in codes}

    assert {code: act(row) for code, row in table.items()} == wanted


@pytest.mark.parametrize("code", sorted(aws_codes.CODES))
def test_a_code_of_amazons_is_retried_only_where_nothing_can_have_been_sent(code: str) -> None:
    row = aws_codes.CODES[code]

    assert (act(row) in {"later", "stop the route"}) == (row.error_class is ErrorClass.CAPACITY)
    assert (act(row) == "reconcile") == (row.error_class is ErrorClass.TRANSIENT_NETWORK)


def test_how_often_an_undelivered_text_is_worth_another_try() -> None:
    worth = {code: twilio_codes.retries(code) for code in twilio_codes.CODES}

    assert (worth["30003"], worth["30008"]) == (2, 1)
    assert {code for code, times in worth.items() if times} == set(TWILIO["later"])
    assert twilio_codes.retries("99999") == twilio_codes.retries("") == 0
