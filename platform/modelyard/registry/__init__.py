"""What is known of models: records, the rules that guard them, and the stores that hold them.

The rules (`rules/`: register, promote, archive) read and write the stores, and are the same on every back-end. Pure
are those of approval (`approval.py`) and of what is live as of an instant (`live.py`). One more back-end of
metadata is one more folder, one of artifacts one more file; `modelyard.wiring` chooses.
"""
