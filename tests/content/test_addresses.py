"""Phone numbers and mail addresses in their one normal form, or refused with the mend."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidAddress
from core.vocabulary import Channel
from delivery.channels import CHANNELS
from delivery.channels.area_codes import STATE_BY_AREA_CODE

SMS, EMAIL = CHANNELS[Channel.SMS], CHANNELS[Channel.EMAIL]


def test_every_channel_of_the_vocabulary_is_in_the_registry_under_its_own_name():
    assert set(CHANNELS) == set(Channel)
    assert all(kind.channel is channel for channel, kind in CHANNELS.items())


@pytest.mark.parametrize(
    ("raw", "normal", "country", "region", "zone"),
    [
        ("+14045550123", "+14045550123", "US", "GA", "America/New_York"),
        ("(404) 555-0123", "+14045550123", "US", "GA", "America/New_York"),
        ("1 404.555.0123", "+14045550123", "US", "GA", "America/New_York"),
        (" +1-212-555-0100 ", "+12125550100", "US", "NY", "America/New_York"),
        ("+17135550100", "+17135550100", "US", "TX", "America/Chicago"),
        ("+14165550123", "+14165550123", "CA", "", "America/Toronto"),
        ("+447400123456", "+447400123456", "GB", "", "Europe/London"),
        ("+4915112345678", "+4915112345678", "DE", "", "Europe/Berlin"),
    ],
)
def test_numbers_are_read_as_people_write_them(raw, normal, country, region, zone):
    address = SMS.address(raw)
    assert (address.normal, address.country, address.region) == (normal, country, region)
    assert zone in address.zones


@pytest.mark.parametrize("last", ["0001", "0006", "0009", "1234", "9999"])
def test_the_magic_test_numbers_are_taken_without_a_guess_at_their_place(last):
    address = SMS.address(f"+1500555{last}")
    assert (address.normal, address.country, address.zones) == (f"+1500555{last}", "US", ())


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "12", "maya", "+", "+1", "+1404555012", "+140455501234", "+19995550123", "1-800-FLOWERS",
        "+14045550123 ext. 5", "+14045550123;ext=5", "tel:+14045550123", "+14045550123\n+14045550124", "+0123456789",
        "+14045550123\0", "9" * 400, "+150055512345", "\u202e+14045550123", "+1 404 555 0123 OR 1=1", None, 14045550123,
        "+19005550123", "+18005550123", "+442079460123",
    ],
)  # fmt: skip
def test_what_is_no_mobile_number_is_refused(raw):
    with pytest.raises(InvalidAddress) as refused:
        SMS.address(raw)
    assert refused.value.field == "address"


def test_fullwidth_digits_are_digits():
    assert SMS.address("+1４０４5550123").normal == "+14045550123"


@given(st.text(max_size=60))
def test_any_text_is_an_e164_number_or_refused(raw):
    try:
        normal = SMS.address(raw).normal
    except InvalidAddress:
        return
    assert SMS.address(normal).normal == normal


def test_the_table_of_area_codes_agrees_with_the_librarys_geography():
    from phonenumbers.geodata import GEOCODE_DATA

    places: dict[str, list[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        if prefix[0] == "1" and re.search(", [A-Z]{2}$", names.get("en", "")):
            places.setdefault(prefix[1:4], []).append(names["en"][-2:])
    for code, state in STATE_BY_AREA_CODE.items():
        in_state = places.get(code, []).count(state)
        in_other = len(places.get(code, [])) - in_state
        assert in_state > 50 * in_other or not in_other, (code, state)
    assert len(set(STATE_BY_AREA_CODE.values())) == 51


@pytest.mark.parametrize(
    ("raw", "normal", "domain"),
    [
        ("maya@mail.com", "maya@mail.com", "mail.com"),
        (" Maya.Lopez+bills@Mail.COM ", "maya.lopez+bills@mail.com", "mail.com"),
        ("maya@bücher.de", "maya@xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("delivered@resend.dev", "delivered@resend.dev", "resend.dev"),
        ("bounced+maya@resend.dev", "bounced+maya@resend.dev", "resend.dev"),
        ("o'brien@mail.com", "o'brien@mail.com", "mail.com"),
    ],
)
def test_mail_addresses_have_one_spelling(raw, normal, domain):
    address = EMAIL.address(raw)
    assert (address.normal, address.domain) == (normal, domain)


@pytest.mark.parametrize(
    "raw",
    [
        "", "maya", "maya@", "@mail.com", "maya@@mail.com", "maya@mail", "maya@localhost", "maya@[127.0.0.1]",
        "Maya <maya@mail.com>", "maya@mail.com\nBcc: all@mail.com", "maya@mail.com\0", "maya@mail.com, leo@mail.com",
        '"a b"@mail.com', "may a@mail.com", ".maya@mail.com", "maya..l@mail.com", "maya@-mail.com", "müller@mail.com",
        "m" * 65 + "@mail.com", "maya@" + "a" * 250 + ".com", "maya@ma\u200bil.com", None, 7,
    ],
)  # fmt: skip
def test_what_is_no_mail_address_is_refused(raw):
    with pytest.raises(InvalidAddress) as refused:
        EMAIL.address(raw)
    assert refused.value.field == "address"


@pytest.mark.parametrize("domain", ["mingus.example", "example.com", "people.test"])
def test_domains_of_the_demo_are_taken_outside_production_only(domain):
    assert EMAIL.address(f"maya@{domain}", reserved=True).normal == f"maya@{domain}"
    with pytest.raises(InvalidAddress):
        EMAIL.address(f"maya@{domain}")
