"""`python -m fer.judge.confined_table`: reads an untrusted evaluation table for `EvaluationTable.from_stranger`."""

from fer import confined
from fer.judge.evaluation import EvaluationError, packed

if __name__ == "__main__":
    confined.serve(packed, EvaluationError)
