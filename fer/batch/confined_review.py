"""`python -m fer.batch.confined_review`: reads an untrusted batch result on behalf of `fer.batch.review`."""

from fer import confined
from fer.batch.review import ReviewError, summed

if __name__ == "__main__":
    confined.serve(summed, ReviewError)
