"""Scoring over HTTP: routes translate, and prediction stays in `modelyard.scoring`."""
