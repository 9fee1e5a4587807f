"""Prefect flows: thin schedules over analytics and tasks, one file per flow."""
