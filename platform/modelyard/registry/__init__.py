"""What is known of models: records, the rules that guard them, and the stores that hold them.

The rules (register, promote, archive, live as of a date) are pure and shared by every back-end. One more back-end is
one more file, chosen in `modelyard.wiring`.
"""
