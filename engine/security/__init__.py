"""Files that are the user's alone, what no address may hold, and what the user has confirmed."""
