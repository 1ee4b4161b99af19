"""Measurements whose figures the documents quote; each prints what it measured."""
