"""What a call carried comes back to the byte, for its own attempt alone."""

import zlib

import orjson
import pytest

from core.errors import SealBroken
from core.ids import new_id
from core.sealing import seal
from core.vocabulary import Channel
from delivery.messages import Attachment, RenderedMessage
from delivery.sealed_calls import PLACE, open_call, seal_call

TEXT = RenderedMessage(
    channel=Channel.SMS, body="Rent due \u20ac1", units=2, template="payment_reminder/v1/sms"
)
MAIL = RenderedMessage(
    channel=Channel.EMAIL, body="Hi Maya", subject="October", html="<p>Hi Maya</p>" * 200, template="monthly_report/v2",
    headers={"List-Unsubscribe": "<https://mingus.example/u/x>"},
    attachments=(Attachment("a.png", "image/png", bytes(range(256)), "categories"), Attachment("b.txt", "text/plain", b"")),
)  # fmt: skip


@pytest.mark.parametrize("members", [[("+15125550101", TEXT)], [("maya@mingus.example", MAIL)]])
def test_one_message_comes_back_as_it_was(members):
    attempt = new_id()
    assert open_call(seal_call(members, attempt), attempt) == members


def test_a_batch_comes_back_in_its_order_and_much_smaller():
    attempt = new_id()
    members = [(f"user{number}@mingus.example", MAIL) for number in range(100)]
    sealed = seal_call(members, attempt)
    assert open_call(sealed, attempt) == members
    assert len(sealed) < 100 * len(MAIL.html) / 20


def test_it_opens_for_its_own_attempt_alone():
    sealed = seal_call([("+15125550101", TEXT)], new_id())
    with pytest.raises(SealBroken):
        open_call(sealed, new_id())


def test_what_an_earlier_release_has_deflated_still_comes_back():
    attempt, members = new_id(), [("maya@mingus.example", MAIL)] * 3
    plain = b"\x01" + zlib.compress(orjson.dumps(members, default=bytes.hex), 1)
    assert open_call(seal(plain, place=PLACE, row=attempt), attempt) == members
