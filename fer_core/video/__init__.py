"""Video: reading with true times, the analysis, the timeline and its views, exports."""
