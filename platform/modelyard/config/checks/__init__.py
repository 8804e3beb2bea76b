"""What must hold within a document and between documents, beyond its shape: one file a kind.

A check is a function that yields findings. It looks at documents only, never at data. One more rule is one more
function, called by its kind's `check_…`; where something that it needs is missing or wrong itself, it stays silent,
because that is reported where it is.
"""
