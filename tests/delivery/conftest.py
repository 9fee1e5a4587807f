"""The names that tests of delivery use; the fixtures themselves are in `stage`, shared by all tests."""

from tests.delivery.stage import Provider, everything, person

__all__ = ["Provider", "everything", "person"]
