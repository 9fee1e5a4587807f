"""A simulator of the providers on the wire, with a control API and an inbox page; imports nothing of ours."""
