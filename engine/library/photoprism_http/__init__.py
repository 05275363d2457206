"""PhotoPrism over HTTP, where its database can't be reached."""
