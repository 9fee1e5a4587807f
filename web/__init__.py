"""The HTTP face: webhooks in, health, unsubscribe and preference pages."""
