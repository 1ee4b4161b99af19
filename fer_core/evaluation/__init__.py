"""Measuring a checkpoint: figures of merit, the evaluation of a data set, and everything that its table can tell.

Names are imported when they are first used: only those that run a network load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "answers": (
        "ORDERS", "Outcomes", "REASONS", "doubtful", "human_agreement", "ordered", "outcomes", "selection_table",
    ),
    "calibration": (
        "area_under", "at_threshold", "calibration_report", "probabilities_at", "reliability", "risk_coverage",
        "stored_temperature",
    ),
    "compare": ("aligned", "class_differences", "disagreements", "mcnemar"),
    "copies": ("copies_of", "find_copies", "published_copies"),
    "duplicates": ("contradictions", "near_duplicates"),
    "history": ("History", "read_history"),
    "label_quality": (
        "confident_joint", "estimated_errors", "label_quality_report", "precision_at", "random_baseline", "suspicious",
    ),
    "matrices": (
        "Confused", "class_report", "confusion", "detected", "group_confusion", "group_report", "in_words",
        "most_confused", "percent_of",
    ),
    "metrics": (
        "brier_score", "confusion_matrix", "expected_calibration_error", "fit_temperature", "negative_log_likelihood",
        "recalls", "report",
    ),
    "reviews": ("LabelReview",),
    "run": (
        "LABEL_SETS", "TTA", "check_labels", "evaluate", "evaluate_faces", "face_crop", "figures_of", "label_sets",
        "labels_of", "write_table",
    ),
    "selection": ("Selection",),
    "slices": ("SLICES", "slice_of", "slice_report"),
    "systems": (
        "Balanced", "COMPARED", "Comparison", "Counts", "NOT_COMPARABLE", "NOT_TRAINED", "Ours", "Trained", "balanced",
        "comparisons", "headline", "overall", "system_of",
    ),
    "tables": ("Evaluation", "concatenated", "read_evaluation"),
}  # fmt: skip
"""Module → what it gives."""
_LAZY = {name: f"fer_core.evaluation.{module}" for module, names in _NAMES.items() for name in names}
__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core.evaluation' has no attribute {name!r}")
