"""`python -m fer.batch.confined_review`: reads an untrusted batch result for `fer.batch.review`."""

from fer import confined
from fer.batch.review import ReviewError, summed

if __name__ == "__main__":
    confined.serve(summed, ReviewError)
