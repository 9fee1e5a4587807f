"""Settings, vocabulary, clock, ids, database, Redis, crypto and models: what every floor above stands on."""
