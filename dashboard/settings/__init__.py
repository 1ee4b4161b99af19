"""Settings: data sets and what is stored."""
