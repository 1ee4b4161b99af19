"""What tests share: builders of small files, tables and networks, the app and its browser."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The project's folder."""
