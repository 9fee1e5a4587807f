"""User agents that fetch images or links before any person has seen the mail.

Gmail's image proxy is not among them: it fetches when the mail is opened, so its opens are a person's.
"""

_PREFETCHERS = (
    "yahoomailproxy", "barracuda", "proofpoint", "mimecast", "safelinks", "fireeye", "trendmicro", "symantec",
    "forcepoint", "sophos", "bitdefender", "headlesschrome", "phantomjs", "python-requests", "python-urllib", "curl/",
    "wget/", "go-http-client", "okhttp", "apache-httpclient", "bot", "crawler", "spider", "scanner",
)  # fmt: skip
_APPLE_PRIVACY_PROXY = "mozilla/5.0"  # Apple Mail Privacy Protection sends this and not a word more


def is_machine(user_agent: str) -> bool:
    """True when the agent is a known prefetcher, scanner or library, or Apple's privacy proxy."""
    agent = user_agent.strip().lower()
    return agent == _APPLE_PRIVACY_PROXY or any(word in agent for word in _PREFETCHERS)
