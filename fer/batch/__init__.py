"""Reads thousands of photos and videos into one table, and survives interruption: `fer batch SRC... --out DIR`.

sources → walk → chunks of files → an engine's workers → parts of a Parquet dataset. Each part is committed atomically,
and committed files are never read again, so the same command resumes after a kill.
"""
