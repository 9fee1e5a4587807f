"""Twilio's refusals: code, HTTP status and wording (twilio.com/docs/api/errors)."""

from sandbox.exchange import Refusal

ERRORS: dict[int, tuple[int, str]] = {
    20001: (400, "Parameter '{field}' is not valid: {value}"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Cannot modify this resource before it is complete"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {masked_to}"),
    21212: (400, "Invalid From Number (caller ID): {sender}"),
    21266: (400, "'To' and 'From' number cannot be the same: {masked_to}"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {masked_to}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number provided ({sender}) is not a valid message-capable Twilio phone number for this destination."),
    21608: (400, "The number {masked_to} is unverified. Trial accounts cannot send messages to unverified numbers."),
    21609: (400, "The 'StatusCallback' URL {value} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The message cannot be sent with the current combination of 'To' ({masked_to}) and 'From' ({sender}) parameters"),
    21614: (400, "'To' number is not a valid mobile number: {masked_to}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21619: (400, "A text message body or media urls must be specified."),
    21635: (400, "'To' number cannot be a landline: {masked_to}"),
    21659: (400, "'From' {sender} is not a Twilio phone number or Short Code country mismatch"),
    21705: (400, "The Messaging Service Sid {value} is invalid."),
    30409: (409, "Message cannot be canceled"),
    35111: (400, "SendAt timestamp is missing"),
    35115: (400, "Scheduling does not support this timestamp"),
    35118: (400, "MessagingServiceSid is required to schedule a message"),
}  # fmt: skip
MORE_INFO = "https://www.twilio.com/docs/errors/"


def twilio_refusal(
    code: int,
    *,
    status: int | None = None,
    retry_after: int | None = None,
    to: str = "",
    sender: str = "",
    field: str = "",
    value: str = "",
    path: str = "",
) -> Refusal:
    """A refusal with Twilio's body; the last five fill the gaps of the wording."""
    default_status, message = ERRORS.get(code, (400, "The request was refused"))
    status = status or default_status
    told = message.format(masked_to=to[:-4] + "XXXX", sender=sender, field=field, value=value, path=path)
    body = {"code": code, "message": told, "more_info": f"{MORE_INFO}{code}", "status": status}
    return Refusal(status, code, body, {} if retry_after is None else {"Retry-After": str(retry_after)})
