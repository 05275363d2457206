"""Pictures to paint: orders, the queue, and how a picture is committed."""
