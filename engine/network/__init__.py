"""Answers of servers, with an end in time and size."""
