"""The one question about a batch's people: whoever they are called, each is found and nobody else."""

from core.clock import utc_now
from core.database import transaction
from core.vocabulary import Channel
from delivery.loading import load_facts
from delivery.people import add_people
from tests.delivery.stage import person

ODD_NAMES = ['user "quoted"', "user\\with\\backslashes", "user,with{commas}", "NULL", "user_é", "it's"]


def test_people_with_odd_ids_are_found_and_nobody_else(database):
    with transaction() as connection:
        add_people(connection, [person(f"odd{n}", n, id=name) for n, name in enumerate(ODD_NAMES)])
        add_people(connection, [person("maya", 99)])
        facts, points = load_facts(connection, ODD_NAMES, utc_now())
    assert set(facts.users) == set(ODD_NAMES)
    assert {user_id for user_id, channel in points if channel is Channel.EMAIL} == set(ODD_NAMES)


def test_nothing_is_known_of_nobody(database):
    with transaction() as connection:
        facts, points = load_facts(connection, [], utc_now())
    assert (facts.users, points) == ({}, {})
