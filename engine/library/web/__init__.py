"""What libraries that are asked over HTTP have in common: a session, its messages, originals fetched into the cache."""
