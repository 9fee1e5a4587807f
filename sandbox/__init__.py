"""A wire-level simulator of Twilio's Messages API and Resend's email API.

A separate server (`python -m sandbox`) that the untouched vendor SDKs talk to. It imports nothing of the
product, keeps a durable ledger of every send, calls back with correctly signed webhooks, and can be told
to misbehave (`POST /_sandbox/faults`). The inbox at `/` shows what the customers would have received.
"""
