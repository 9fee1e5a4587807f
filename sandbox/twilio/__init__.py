"""Twilio's Messages API, version 2010-04-01."""
