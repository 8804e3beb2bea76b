"""Who calls a service, and what he may do: bearer tokens of four kinds, and one rule for each route.

`authenticator.py` asks each kind in turn; one more kind is one more file beside `static.py`, an entry of the file
that `file.py` reads, and a branch there.
"""
