"""One case per registered provider: how it is built here, what its wire looks like, what its table holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.settings import Settings
from delivery.messages import Outcome, Transmission
from delivery.providers import aws_codes, resend_codes, twilio_codes
from delivery.providers.base import RawCallback
from tests.providers.people import NOON, given_settings, mail, sms
from tests.providers.wire_server import Behaviour, Request, answer

_SNS_OK = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
)


@dataclass(frozen=True)
class Case:
    """What the contract tests need to know about one provider."""

    name: str
    build: Callable[[Settings], Any]
    base_url: str
    transmission: Callable[..., Transmission]
    accepted: Behaviour
    reference: str
    refusal: Callable[[int, str, str], Behaviour]
    """(status, code, text) → the provider's way of saying no."""
    codes: Mapping[str, Outcome]
    sent: Callable[[Request], Mapping[str, str]]
    """address, text and credential as the request carried them."""
    forged: RawCallback
    extra: Mapping[str, Any] = field(default_factory=dict)

    def provider(self, url: str, **given: Any) -> Any:
        return self.build(given_settings(**{self.base_url: url, **self.extra, **given}))


def _twilio(settings: Settings) -> Any:
    from delivery.providers.twilio import TwilioProvider

    return TwilioProvider(settings, clock=lambda: NOON)


def _resend(settings: Settings) -> Any:
    from delivery.providers.resend import ResendProvider

    return ResendProvider(settings, clock=lambda: NOON)


def _sns(settings: Settings) -> Any:
    from delivery.providers.sns import SnsProvider

    return SnsProvider(settings, clock=lambda: NOON)


def _ses(settings: Settings) -> Any:
    from delivery.providers.ses import SesProvider

    return SesProvider(settings, clock=lambda: NOON)


def _xml_error(status: int, code: str, text: str) -> Behaviour:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
    return answer(status, body.encode(), content_type="text/xml", retry_after="7")


CASES = {
    case.name: case
    for case in (
        Case(
            name="twilio",
            build=_twilio,
            base_url="twilio_base_url",
            transmission=sms,
            accepted=answer(201, {"sid": "SM1", "status": "queued", "num_segments": "1"}),
            reference="SM1",
            refusal=lambda status, code, text: answer(
                status,
                {"code": int(code) if code.isdecimal() else code, "message": text, "status": status},
                retry_after="7",
            ),
            codes=twilio_codes.CODES,
            sent=lambda request: {"address": request.form["To"], "text": request.form["Body"]},
            forged=RawCallback(
                "https://mingus.test/webhooks/twilio/status/1",
                {"x-twilio-signature": "bm90IGEgc2lnbmF0dXJl"},
                b"MessageSid=SM1&MessageStatus=delivered",
            ),
        ),
        Case(
            name="resend",
            build=_resend,
            base_url="resend_base_url",
            transmission=mail,
            accepted=answer(200, {"id": "re-1"}),
            reference="re-1",
            refusal=lambda status, code, text: answer(
                status, {"name": code, "message": text, "statusCode": status}, retry_after="7"
            ),
            codes=resend_codes.CODES,
            sent=lambda request: {"address": request.json["to"][0], "text": request.json["text"]},
            forged=RawCallback(
                "https://mingus.test/webhooks/resend",
                {
                    "svix-id": "msg_1",
                    "svix-timestamp": "1795521600",
                    "svix-signature": "v1,bm90IGEgc2lnbmF0dXJl",
                },
                b'{"type":"email.delivered","created_at":"2026-11-24T12:00:00Z","data":{"email_id":"re-1"}}',
            ),
        ),
        Case(
            name="sns",
            build=_sns,
            base_url="aws_endpoint_url",
            transmission=sms,
            accepted=answer(200, _SNS_OK, content_type="text/xml"),
            reference="m-1",
            refusal=_xml_error,
            codes=aws_codes.CODES,
            sent=lambda request: {"address": request.form["PhoneNumber"], "text": request.form["Message"]},
            forged=RawCallback(
                "https://mingus.test/webhooks/sns",
                {},
                b'{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:us-east-1:123456789012:mingus-events",'
                b'"Timestamp":"2026-11-24T12:00:00Z","Message":"{}","SignatureVersion":"1","Signature":"bm8=",'
                b'"SigningCertURL":"https://attacker.test/cert.pem"}',
            ),
        ),
        Case(
            name="ses",
            build=_ses,
            base_url="aws_endpoint_url",
            transmission=mail,
            accepted=answer(200, {"MessageId": "m-1"}),
            reference="m-1",
            refusal=lambda status, code, text: answer(
                status, {"message": text}, x_amzn_errortype=code, retry_after="7"
            ),
            codes=aws_codes.CODES,
            sent=lambda request: {
                "address": request.json["Destination"]["ToAddresses"][0],
                "text": request.json["Content"]["Simple"]["Body"]["Text"]["Data"],
            },
            forged=RawCallback(
                "https://mingus.test/webhooks/ses",
                {},
                b'{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:us-east-1:999999999999:somebody-elses",'
                b'"Timestamp":"2026-11-24T12:00:00Z","Message":"{}","SignatureVersion":"1","Signature":"bm8=",'
                b'"SigningCertURL":"https://sns.us-east-1.amazonaws.com/c.pem"}',
            ),
        ),
    )
}
