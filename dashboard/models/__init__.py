"""Models: one list; one of them with everything that is known of it."""
