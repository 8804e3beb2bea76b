"""From a live version and its features to predictions: by entity, by row, or a whole partition at once."""
