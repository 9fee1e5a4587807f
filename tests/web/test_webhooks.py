"""What comes in by webhook: believed only when signed, stored before it is answered, and never stored when forged."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis as redis_py
from sqlalchemy.exc import OperationalError

from core.database import transaction
from core.statements import rows
from delivery.callbacks import receive
from tests.web.conftest import Web, svix_headers, twilio_signature
from web import inbox, webhooks
from web.webhooks import MOST_BYTES

MAYA = "+15125550101"
STATUS = "/webhooks/twilio/status/c055899e-ecd1-4c02-9436-7fb3f59e7840"


def stored() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(
            connection, "SELECT provider, event_key, kind FROM callbacks ORDER BY received_at, event_key"
        )


def delivered(sid: str = "SM1", status: str = "delivered") -> dict[str, str]:
    return {"MessageSid": sid, "MessageStatus": status, "To": MAYA, "AccountSid": "AC1"}


def bounced(**changes: Any) -> dict[str, Any]:
    return {
        "type": "email.bounced",
        "created_at": "2026-11-02T10:00:00.000Z",
        "data": {"email_id": "e1", "to": ["maya@example.com"], "bounce": {"type": "Permanent"}},
    } | changes


def test_a_signed_status_is_stored_before_it_is_answered(web: Web) -> None:
    answer = web.twilio(STATUS, delivered())

    assert (answer.status, answer.data) == (204, b"")
    assert stored() == [("twilio", "SM1:delivered", "delivered")]


def test_a_signed_mail_event_is_stored_before_it_is_answered(web: Web) -> None:
    answer = web.resend(bounced())

    assert (answer.status, answer.data) == (204, b"")
    assert stored() == [("resend", "msg_1", "bounced_hard")]


def test_a_repeated_callback_is_answered_like_the_first_and_stored_once(web: Web) -> None:
    assert [web.twilio(STATUS, delivered()).status for _ in range(3)] == [204, 204, 204]
    assert len(stored()) == 1


def test_an_event_of_an_unknown_type_is_stored_and_counted(web: Web, redis: redis_py.Redis) -> None:
    assert web.resend(bounced(type="email.teleported")).status == 204
    assert stored() == [("resend", "msg_1", "unrecognised")]
    assert counted(redis, "resend:unrecognised") == 1


@pytest.mark.parametrize(
    ("what", "status", "send"),
    [
        ("forged", 403, lambda web: web.post(STATUS, delivered())),
        (
            "forged",
            403,
            lambda web: web.post(
                STATUS, delivered(), x_twilio_signature=twilio_signature(STATUS, delivered(), "another token")
            ),
        ),
        (
            "forged",
            403,
            lambda web: web.post(
                f"/webhooks/twilio/status/{uuid4()}",
                delivered(),
                x_twilio_signature=twilio_signature(STATUS, delivered()),
            ),
        ),
        (
            "forged",
            403,
            lambda web: web.post(
                STATUS,
                delivered(status="failed"),
                x_twilio_signature=twilio_signature(STATUS, delivered(status="delivered")),
            ),
        ),
        (
            "forged",
            403,
            lambda web: web.post(
                f"{STATUS}?x=1", delivered(), x_twilio_signature=twilio_signature(STATUS, delivered())
            ),
        ),
        (
            "forged",
            403,
            lambda web: web.post(STATUS, delivered(), x_twilio_signature="\xff\x00".encode().hex()),
        ),
        ("invalid", 400, lambda web: web.post(STATUS, b"\xff\xfe not a form", x_twilio_signature="x")),
        ("invalid", 400, lambda web: web.twilio(STATUS, {"Hello": "world"})),
        ("too_large", 413, lambda web: web.post(STATUS, b"x" * (MOST_BYTES + 1))),
    ],
)
def test_of_a_callback_that_twilio_did_not_sign_only_a_count_is_kept(
    web: Web, redis: redis_py.Redis, what: str, status: int, send: Any
) -> None:
    assert send(web).status == status
    assert stored() == []
    assert counted(redis, f"twilio:{what}") == 1


def mail(body: bytes, **headers: str) -> Any:
    return lambda web: web.post("/webhooks/resend", body, **headers)


GOOD = json.dumps(bounced()).encode()


@pytest.mark.parametrize(
    ("what", "status", "send"),
    [
        ("forged", 403, lambda: mail(GOOD)),
        ("forged", 403, lambda: mail(GOOD + b" ", **svix_headers("msg_1", GOOD))),
        ("forged", 403, lambda: mail(GOOD, **svix_headers("msg_1", GOOD) | {"svix_id": "msg_2"})),
        ("forged", 403, lambda: mail(GOOD, **svix_headers("msg_1", GOOD, at=int(time.time()) - 600))),
        ("invalid", 400, lambda: mail(b"{", **svix_headers("msg_1", b"{"))),
        ("invalid", 400, lambda: mail(GOOD[:-9], **svix_headers("msg_1", GOOD[:-9]))),
        ("invalid", 400, lambda: mail(b"[]", **svix_headers("msg_1", b"[]"))),
        ("too_large", 413, lambda: mail(b" " * (MOST_BYTES + 1))),
    ],
)
def test_of_a_callback_that_resend_did_not_sign_only_a_count_is_kept(
    web: Web, redis: redis_py.Redis, what: str, status: int, send: Any
) -> None:
    assert send()(web).status == status
    assert stored() == []
    assert counted(redis, f"resend:{what}") == 1


def test_of_a_forged_callback_one_line_tells_without_an_address(
    web: Web, redis: redis_py.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="web.tallies")
    assert web.post(STATUS, delivered()).status == 403
    assert counted(redis, "twilio:forged") == 1
    told = [each for each in caplog.records if each.message == "callbacks_counted"]

    assert [(each.levelname, each.__dict__["counts"]) for each in told] == [("WARNING", {"twilio:forged": 1})]
    assert MAYA[1:] not in repr([each.__dict__ for each in told])


def test_of_genuine_callbacks_the_line_is_no_warning(
    web: Web, redis: redis_py.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="web.tallies")
    assert web.twilio(STATUS, delivered()).status == 204
    assert counted(redis, "twilio:delivered") == 1

    assert {each.levelname for each in caplog.records if each.message == "callbacks_counted"} == {"INFO"}


@pytest.mark.parametrize(("ending", "what"), [("stops", "too_slow"), ("hangs up", "hung_up")])
def test_a_body_that_ends_half_way_is_refused_and_holds_nobody_up(
    web: Web, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch, ending: str, what: str
) -> None:
    monkeypatch.setattr(webhooks, "LONGEST_BODY", 0.3 if ending == "stops" else 30)
    host, port = web.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sender:
        sender.sendall(
            f"POST {STATUS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nMessageSid=".encode()
        )
        if ending == "stops":
            assert sender.recv(1000).startswith(b"HTTP/1.1 408")
    assert counted(redis, f"twilio:{what}") == 1
    assert stored() == []


def test_a_body_that_hides_its_length_is_cut_off_at_the_cap(web: Web) -> None:
    chunks = iter([b"x" * 65536] * 5)
    answer = web.http.request("POST", web.url + STATUS, body=chunks, chunked=True)

    assert answer.status == 413


def test_callbacks_that_arrive_together_are_all_stored(web: Web) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: web.twilio(STATUS, delivered(f"SM{n:03}")).status, range(200)))

    assert answers == [204] * 200
    assert len(stored()) == 200


def counted(redis: redis_py.Redis, field: str) -> int:
    """What Redis says once the counts of this second have arrived there."""
    for _ in range(600):
        found = redis.hget("mingus:callbacks", field)
        if found is not None:
            return int(found)
        time.sleep(0.05)
    return 0


def test_a_database_that_is_away_is_told_as_try_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_events: object) -> int:
        raise OperationalError("INSERT", None, Exception("gone"))

    monkeypatch.setattr(inbox, "receive", away)
    answer = web.twilio(STATUS, delivered())
    monkeypatch.undo()

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert stored() == []
    assert web.twilio(STATUS, delivered()).status == 204


def test_one_that_can_not_be_stored_does_not_spoil_those_that_came_with_it(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(events: list[Any]) -> int:
        if any(event.reference == "SM007" for event in events):
            raise ValueError("not this one")
        return receive(events)

    monkeypatch.setattr(inbox, "receive", picky)
    monkeypatch.setattr(inbox, "GATHER_SECONDS", 0.2)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: web.twilio(STATUS, delivered(f"SM{n:03}")).status, range(16)))

    assert answers == [500 if n == 7 else 204 for n in range(16)]
    assert len(stored()) == 15


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks/resend", 405),
        ("PUT", STATUS, 405),
        ("POST", "/webhooks/fax", 404),
        ("POST", "/webhooks/resend/x", 404),
        ("POST", "/webhooks/twilio/status/../../resend", 403),
    ],
)
def test_only_the_webhooks_own_paths_take_anything(web: Web, method: str, path: str, status: int) -> None:
    assert web.http.request(method, web.url + path, body=b"", redirect=False).status == status
    assert stored() == []


@pytest.mark.parametrize("path", ["/webhooks/ses", "/webhooks/sns"])
def test_without_topics_of_ours_nothing_is_built_or_fetched_for_amazons_callers(
    web: Web, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.delattr("boto3.session.Session")

    assert web.post(path, b"{}").status == 403
    assert stored() == []
    assert counted(redis, f"{path.rpartition('/')[2]}:forged") == 1


@pytest.mark.parametrize("path", ["/webhooks/ses", "/webhooks/sns"])
def test_amazons_envelope_of_a_topic_that_is_not_ours_is_forged(
    web: Web, configure: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    configure(
        MINGUS_SNS_TOPICS="arn:aws:sns:us-east-1:1:ours",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    envelope = {
        "Type": "Notification", "MessageId": "m1", "TopicArn": "arn:aws:sns:us-east-1:1:theirs", "Message": "{}",
        "Timestamp": "2026-11-02T10:00:00.000Z", "SignatureVersion": "1", "Signature": "eA==",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/x.pem",
    }  # fmt: skip

    assert web.post(path, json.dumps(envelope).encode()).status == 403
    assert web.post(path, b"{}").status == 400
    assert web.post(path, b"\xff").status == 400
    assert stored() == []
