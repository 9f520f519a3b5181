"""Settings for all tests."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as many processes as cores run the tests

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")
