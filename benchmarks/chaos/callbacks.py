"""Callbacks that lie, repeat and come out of order."""

import time

from benchmarks.chaos.load import Load, feeding
from benchmarks.chaos.world import World


def lies(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Every callback comes three times, last first, and after a forged one that says the opposite."""
    with (
        world.fault(provider="any", kind="callbacks_forge"),
        world.fault(provider="any", kind="callbacks_duplicate", params={"times": 3}),
        world.fault(provider="any", kind="callbacks_reorder"),
        feeding(world, campaign, round(800 * scale), over_seconds=20 * scale) as load,
    ):
        pass
    time.sleep(5)
    return load, "each forged, three times, last first"
