"""What a user writes: the kinds of documents, the loader that reports every error at once, JSON Schema, the plan.

Nothing here reaches for data, models or a registry. One more kind is one more file in `kinds/`.
"""
