"""`value`: a dataclass that is frozen for the type checker and costs nothing for it at run time.

A frozen dataclass sets each field through `object.__setattr__`: three times the price of a plain one, and a message
passes through some twenty values with two hundred fields. mypy, which knows this decorator as `dataclass`, refuses
every assignment to a frozen field; hashing is by the fields, as for any frozen dataclass.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool = False, **options: bool):  # noqa: ANN201  a decorator that mypy never sees
        """`dataclass` with these options; `frozen` is checked, not enforced."""
        return dataclass(unsafe_hash=frozen, **options)


__all__ = ["value"]
