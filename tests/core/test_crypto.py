"""Sealed values open only where they were sealed; blind indexes are equal for equal values and for nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import Keyring, keyring, load_keyring
from core.errors import SealBroken, SettingsError
from core.models import Sealed
from core.sealing import seal, unseal
from core.settings import load_settings


def ring(*names: str) -> Keyring:
    key = base64.b64encode(b"k" * 32).decode()
    keys = ",".join(f"{name}:{base64.b64encode(name.encode().ljust(32, b'.')).decode()}" for name in names)
    return load_keyring(load_settings(MINGUS_SEALING_KEYS=keys, MINGUS_INDEX_KEY=key, MINGUS_LINK_KEY=key))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_in_its_place(plain, row):
    sealed = keyring().seal(plain, place="users.name", row=row)
    assert keyring().open(sealed, place="users.name", row=row) == plain


@pytest.mark.parametrize(
    ("place", "row"), [("users.name", "dan"), ("users.mail", "maya"), ("people.name", "maya")]
)
def test_a_value_copied_elsewhere_does_not_open(place, row):
    sealed = keyring().seal(b"Maya", place="users.name", row="maya")
    with pytest.raises(SealBroken):
        keyring().open(sealed, place=place, row=row)


@pytest.mark.parametrize("position", [0, 1, 6, 17, -1])
def test_a_changed_byte_does_not_open(position):
    sealed = bytearray(keyring().seal(b"Maya", place="users.name", row="maya"))
    sealed[position] ^= 1
    with pytest.raises(SealBroken):
        keyring().open(bytes(sealed), place="users.name", row="maya")


def test_equal_values_are_sealed_differently_and_indexed_equally():
    assert keyring().seal(b"x", place="a.b", row=1) != keyring().seal(b"x", place="a.b", row=1)
    assert keyring().blind_index("x", purpose="address") == keyring().blind_index("x", purpose="address")
    assert keyring().blind_index("x", purpose="address") != keyring().blind_index("x", purpose="name")


def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key():
    old = ring("old1").seal(b"Maya", place="users.name", row=1)
    rotated = ring("new1", "old1")
    assert rotated.open(old, place="users.name", row=1) == b"Maya"
    assert rotated.seal(b"Maya", place="users.name", row=1)[1:5] == b"new1"
    with pytest.raises(SealBroken):
        ring("new1").open(old, place="users.name", row=1)


@pytest.mark.parametrize("keys", ["k1:short", "toolong:" + "A" * 43 + "=", "no-colon"])
def test_a_malformed_key_is_refused_by_name(keys):
    with pytest.raises(SettingsError, match="MINGUS_SEALING_KEYS"):
        load_keyring(
            load_settings(
                MINGUS_SEALING_KEYS=keys, MINGUS_INDEX_KEY="A" * 43 + "=", MINGUS_LINK_KEY="A" * 43 + "="
            )
        )


def test_a_sealed_column_refuses_plain_text():
    with pytest.raises(TypeError, match="never plain text"):
        Sealed().process_bind_param(b"+15125550101", None)


def test_seal_and_unseal_carry_text():
    assert unseal(seal("Zoë", place="users.name", row="z"), place="users.name", row="z") == "Zoë"


def test_a_link_signature_is_ours_alone():
    mark = keyring().sign("n1", purpose="link")
    assert keyring().signed("n1", mark, purpose="link")
    assert not keyring().signed("n2", mark, purpose="link")
    assert not keyring().signed("n1", mark, purpose="other")
