"""Thousands of photos and videos → one table that survives any interruption: `fer batch SRC... --out DIR`.

sources → walk → chunks of files → an engine's workers → parts of a Parquet dataset. A part is committed atomically, and
committed files are never read again, so the same command resumes after a kill.
"""
