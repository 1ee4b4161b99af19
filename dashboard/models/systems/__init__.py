"""The Systems page: a source system, the figures of its authors beside ours, and what we took from its document."""
