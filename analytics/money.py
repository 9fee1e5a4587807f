"""Cents are what is computed with, Decimals are what is told."""

from decimal import Decimal


def dollars(cents: float) -> Decimal:
    """Whole or half cents (a median may lie between two) as an exact amount with two digits, half cents to even."""
    return Decimal(round(cents)).scaleb(-2)
