"""What the fuzzer does beside the document."""

import itertools
import re

import schemathesis

NUMBERS = itertools.count()
KEY = re.compile(r"[!-~]([ -~]*[!-~])?")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes each valid key of a request a new one: an old key with another body is refused, as the document says."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and len(key) < 240 and KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key}-{next(NUMBERS)}"
