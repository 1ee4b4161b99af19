"""Measuring a checkpoint: figures of merit, and the evaluation of a data set."""

from fer_core.evaluation.evaluate import LABEL_SETS, TTA, evaluate, evaluation_table, labels_of, predict_all
from fer_core.evaluation.metrics import (
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    recalls,
    report,
)

__all__ = [
    "LABEL_SETS",
    "TTA",
    "brier_score",
    "confusion_matrix",
    "evaluate",
    "evaluation_table",
    "expected_calibration_error",
    "fit_temperature",
    "labels_of",
    "negative_log_likelihood",
    "predict_all",
    "recalls",
    "report",
]
