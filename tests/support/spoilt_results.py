"""Results of which one is broken, and a gate with the node's own rules only."""

import io
from dataclasses import replace

import pydicom

from inference.encode.checks.program import Validator

OWN_RULES = Validator(program="no-such-program")


def spoil(results, kind, change, index=0):
    """The results with one of a kind changed; returns them and its SOP Instance UID."""
    position = [i for i, result in enumerate(results) if result.kind is kind][index]
    ds = pydicom.dcmread(io.BytesIO(results[position].data))
    change(ds)
    buffer = io.BytesIO()
    ds.save_as(buffer)
    spoilt = list(results)
    spoilt[position] = replace(results[position], data=buffer.getvalue())
    return spoilt, results[position].sop_instance_uid
