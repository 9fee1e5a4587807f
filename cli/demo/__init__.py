"""The main job from end to end on this machine: people, messages of all types, receipts, flows, and what came of it."""
