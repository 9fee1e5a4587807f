"""The eight message types as people get them."""

import hashlib
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from core.errors import InvalidRequest
from core.vocabulary import Channel, Purpose
from delivery.catalog import catalog
from delivery.content import Person, preview, render, render_all, summary
from delivery.content.stored_templates import latest_version
from tests.content.for_maya import LINKS, POSTAL_ADDRESS, mail, request_of, sms

BY_CHANNEL = [(name, channel) for name, row in catalog().items() for channel in row.channels]
MAILED = [name for name, row in catalog().items() if Channel.EMAIL in row.channels]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("critical_financial", "Critical: Overdraft detected on account ending in 1234"),
        ("payment_reminder", "Reminder: Rent due 2025-02-01 - $1200.00"),
        ("weekly_checkin", "Hi Maya, weekly check-in: How did your spending feel this week, 1 to 5?\nReply STOP to opt out"),
        ("milestone_reminder", "Maya, you reached your goal: Emergency fund!\nReply STOP to opt out"),
        ("onboarding_sequence", "MINGUS: step 1 of 5: Connect your first account\nReply STOP to opt out"),
    ],
)  # fmt: skip
def test_texts_of_the_specifications_examples(name, text):
    message = sms(name)
    assert (message.body, message.units, message.subject, message.html) == (text, 1, "", "")
    assert message.template == f"{name}/v{latest_version(name)}"


def test_without_a_template_of_the_payload_the_types_own_text_is_used():
    payload = {"bill_name": "Rent", "due_date": "2025-02-01", "amount": "1200.00"}
    assert (
        sms("payment_reminder", payload=payload).body == "MINGUS: Rent of $1,200.00 is due February 1, 2025."
    )


@pytest.mark.parametrize("name", MAILED)
def test_each_mail_has_subject_html_and_text_and_says_the_same_in_both(name):
    message = mail(name)
    payload = request_of(name).payload
    assert message.subject
    assert message.html.startswith("<!DOCTYPE html>")
    assert message.units == 1
    said = {
        str(payload[key])
        for key in ("message", "question", "milestone", "insight", "topic", "title")
        if key in payload
    }
    assert all(words in message.html and words in message.body for words in said)
    for text in (message.subject, message.body, message.html):
        assert "None" not in text
        assert "{{" not in text
        assert "{%" not in text
    assert len(message.html.encode()) < 102_000  # Gmail clips what is longer


class WellFormed(HTMLParser):
    """Every element that is opened is closed in order."""

    VOID = frozenset({"meta", "br", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", MAILED)
def test_the_html_is_well_formed(name):
    reader = WellFormed()
    reader.feed(mail(name).html)
    reader.close()
    assert not reader.open


@pytest.mark.parametrize("name", MAILED)
def test_one_click_unsubscribe_is_on_everything_that_is_not_critical(name):
    message = mail(name)
    if name == "critical_financial":
        assert not message.headers
        assert "Unsubscribe" not in message.html + message.body
    else:
        assert message.headers == {
            "List-Unsubscribe": f"<{LINKS['unsubscribe_url']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        assert LINKS["unsubscribe_url"] in message.html
        assert LINKS["unsubscribe_url"] in message.body


@pytest.mark.parametrize("name", [name for name in MAILED if catalog()[name].purpose is Purpose.MARKETING])
def test_marketing_mails_carry_the_postal_address_and_are_not_made_without_a_way_out(name):
    message = mail(name)
    assert POSTAL_ADDRESS in message.html
    assert POSTAL_ADDRESS in message.body
    with pytest.raises(InvalidRequest, match="unsubscribe_url"):
        mail(name, links={})
    with pytest.raises(InvalidRequest, match="postal_address"):
        mail(name, postal_address="")


@pytest.mark.parametrize(
    "url", ["javascript:x", "https://a.example>\r\nBcc: x", "mailto:x@a.example", "http://"]
)
def test_a_forged_unsubscribe_link_makes_no_header(url):
    with pytest.raises(InvalidRequest):
        mail("monthly_report", links={"unsubscribe_url": url})


@pytest.mark.parametrize(
    ("name", "first", "footed"),
    [
        ("critical_financial", False, False),
        ("critical_financial", True, True),
        ("payment_reminder", False, False),
        ("payment_reminder", True, True),
        ("weekly_checkin", False, True),
        ("weekly_checkin", True, True),
        ("onboarding_sequence", False, True),
    ],
)
def test_texts_tell_how_to_stop_where_their_purpose_needs_it(name, first, footed):
    body = sms(name, first_of_programme=first).body
    assert body.endswith("\nReply STOP to opt out") is footed
    assert body.count("STOP") == footed


def test_the_footer_is_not_said_twice():
    payload = {"template": "Check in! Reply STOP to opt out"}
    assert sms("weekly_checkin", payload=payload).body == "Check in! Reply STOP to opt out"


def test_the_payload_may_give_the_subject_with_its_variables():
    payload = {
        "subject": "{bill_name} – ${amount}",
        "template": "Pay {bill_name}.",
        "bill_name": "Rent",
        "amount": 5,
    }
    assert mail("payment_reminder", payload=payload).subject == "Rent – $5"


def test_a_line_break_in_a_value_can_not_begin_a_header():
    payload = {"bill_name": "Rent\r\nBcc: all@mail.example", "due_date": "2025-02-01", "amount": "5"}
    assert (
        mail("payment_reminder", payload=payload).subject
        == "Rent Bcc: all@mail.example is due February 1, 2025"
    )


def test_subjects_are_cut_not_refused():
    payload = {"template": "x", "bill_name": "Rent " * 100}
    subject = mail("payment_reminder", payload=payload).subject
    assert len(subject) == 250
    assert subject.endswith("…")


def test_values_are_escaped_in_html_and_plain_in_text():
    payload = {"template": "{message}", "message": '<b>5 > 3 & "x"</b>'}
    message = mail("critical_financial", payload=payload)
    assert "<b>5" not in message.html
    assert "&lt;b&gt;5 &gt; 3 &amp; &quot;x&quot;" in message.html
    assert '<b>5 > 3 & "x"</b>' in message.body


def test_the_specifications_garbled_emoji_arrives_as_an_emoji():
    payload = {
        "template": "ðŸŽ‰ Congratulations {name}! You reached {milestone}",
        "name": "Maya",
        "milestone": "$1,000 â€“ well done",
    }
    assert sms("milestone_reminder", payload=payload).body.startswith(
        "🎉 Congratulations Maya! You reached $1,000 – well done"
    )
    message = mail("milestone_reminder", payload=payload)
    assert "🎉" in message.html
    assert "ðŸ" not in message.html + message.body + message.subject


def test_direction_tricks_reach_no_phone_and_no_subject():
    payload = {
        "template": "Pay \u202e{bill_name}\u200b",
        "bill_name": "R\u2066ent\u2069",
        "due_date": "2025-02-01",
        "amount": 1,
    }
    assert sms("payment_reminder", payload=payload).body == "Pay Rent"
    assert mail("payment_reminder", payload=payload).subject == "Rent is due February 1, 2025"


RENT = {"bill_name": "Renta", "due_date": "2025-02-01", "amount": "1200.00"}


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en_US", "MINGUS: Renta of $1,200.00 is due February 1, 2025."),
        ("en_GB", "MINGUS: Renta of US$1,200.00 is due 1 February 2025."),
        ("es_US", "MINGUS: Renta de $1,200.00 vence el 1 de febrero de 2025."),
        ("de_DE", "MINGUS: Renta of 1.200,00 US$ is due 1 February 2025."),
        ("xx", "MINGUS: Renta of $1,200.00 is due February 1, 2025."),
    ],
)
def test_amounts_and_dates_are_in_the_language_of_the_text_and_the_manner_of_the_country(locale, text):
    assert sms("payment_reminder", payload=RENT, person=Person(locale=locale)).body == text


def test_somebody_who_reads_spanish_gets_a_whole_mail_in_spanish():
    message = mail("payment_reminder", payload=RENT, person=Person(name="Inés Gil", locale="es_MX"))
    assert 'lang="es"' in message.html
    assert "Hola, Inés:" in message.body
    assert not any(word in message.body for word in ("Hi ", "Unsubscribe", "Due"))


def test_a_spanish_text_tells_in_spanish_how_to_stop_without_leaving_gsm7():
    shown = preview(
        request_of(
            "payment_reminder",
            Channel.SMS,
            payload=RENT,
            person=Person(locale="es_US"),
            first_of_programme=True,
        ),
        price=Decimal("0.0075"),
    )
    assert shown.message.body.endswith("\nResponda STOP para darse de baja")
    assert shown.segments.encoding == "GSM-7"


@pytest.mark.parametrize("name", ["", "\u200b", "  "])
def test_somebody_without_a_name_is_greeted_all_the_same(name):
    assert "Hi there," in mail("payment_reminder", person=Person(name=name)).body


@pytest.mark.parametrize(("name", "channel"), BY_CHANNEL)
def test_equal_requests_render_to_equal_bytes(name, channel):
    assert render(request_of(name, channel)) == render(request_of(name, channel))


def test_a_mixed_batch_is_rendered_as_one_by_one_and_a_broken_message_hinders_no_other():
    good = [request_of(name, channel) for name, channel in BY_CHANNEL]
    own_words = request_of("monthly_report", payload={"template": "Hi {name}", "subject": "For {name}"})
    too_long = request_of("payment_reminder", Channel.SMS, payload={"template": "W" * 1601})
    nobody = request_of("payment_reminder", Channel.SMS, payload={"template": "Hi {who}"})
    made = render_all([*good, too_long, own_words, nobody, *reversed(good)])
    assert made[: len(good)] == [render(each) for each in good]
    assert made[-len(good) :] == [render(each) for each in reversed(good)]
    assert made[len(good) + 1] == render(own_words)
    for problem, request in ((made[len(good)], too_long), (made[len(good) + 2], nobody)):
        with pytest.raises(InvalidRequest) as alone:
            render(request)
        assert (type(problem), str(problem)) == (alone.type, str(alone.value))


PRINT_ALL = """
from tests.content.for_maya import request_of
from delivery.catalog import catalog
from delivery.content import render
print([render(request_of(name, channel)) for name, row in catalog().items() for channel in row.channels])
"""


def test_other_processes_render_the_same_bytes():
    seen = {
        hashlib.sha256(
            subprocess.run(
                [sys.executable, "-c", PRINT_ALL],
                capture_output=True,
                check=True,
                env={"PYTHONHASHSEED": seed},
            ).stdout
        ).hexdigest()
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_a_preview_shows_segments_and_cost():
    text = preview(request_of("payment_reminder", Channel.SMS), price=Decimal("0.0075"))
    assert (text.segments.segments, text.cost) == (1, Decimal("0.0075"))
    letter = preview(request_of("payment_reminder", Channel.EMAIL), price=Decimal("0.0001"))
    assert (letter.segments, letter.cost) == (None, Decimal("0.0001"))


@pytest.mark.parametrize("sign", ["a", "é", "\U0001f389"])
def test_a_summary_is_one_line_of_which_five_fit_into_a_text(sign):
    line = summary(request_of("milestone_reminder", Channel.SMS, payload={"milestone": sign * 400}))
    assert len(line.encode("utf-16-le")) // 2 <= 200
    assert line.startswith(f"You reached it: {sign}")
    assert line.endswith(f"{sign}...")


def test_a_summary_says_the_subject_and_the_first_words():
    payload = {"topic": "Index funds", "summary": "A basket\ncosts less."}
    line = summary(request_of("educational_content", Channel.EMAIL, payload=payload))
    assert line == "Index funds, explained - A basket costs less."
