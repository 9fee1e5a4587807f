"""Resend's email API."""
