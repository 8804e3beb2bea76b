"""How a fitted pipeline is kept in files and comes back: skops and native booster files, never pickle.

A version's files are its manifest (`model.json`), the pipeline (`model.skops`), a file for each booster in it, and a
hundred golden rows with the predictions of the day on which it was trained, which are replayed at every load.
"""
