"""Modelyard: commit a YAML file; tomorrow the model is scoring.

Each folder here is a room with one concern; `docs/architecture.md` says which, and import contracts hold it.
"""
