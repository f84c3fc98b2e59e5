"""Put in front of a node's modules (PYTHONPATH): processes kill themselves where a file says so.

The file that `NODE_FAILPOINT` names holds a place and whom to kill, as `after-index receiver`. Who comes to
the place first takes the file away and kills itself (`receiver`), the main process (`main`) or both (`all`).
"""

import os
import signal
import sys

_FILE = os.environ.get("NODE_FAILPOINT", "")


def _come_to(place):
    try:
        with open(_FILE) as file:  # noqa: PTH123  this runs at every start of an interpreter
            wanted, victim = file.read().split()
        if wanted != place:
            return
        os.unlink(_FILE)  # noqa: PTH108
    except FileNotFoundError:
        return
    if victim in ("main", "all"):
        os.kill(os.getppid(), signal.SIGKILL)
    if victim in ("receiver", "all"):
        os.kill(os.getpid(), signal.SIGKILL)


def _around(owner, name, before, after):
    original = getattr(owner, name)

    def replaced(*arguments, **options):
        if before:
            _come_to(before)
        result = original(*arguments, **options)
        if after:
            _come_to(after)
        return result

    setattr(owner, name, replaced)


if _FILE and "dicom_node.app.receiver" in sys.orig_argv:
    from dicom_node.index.studies import SqlStudyIndex
    from dicom_node.pipeline.large_arrival import LargeArrival
    from dicom_node.pipeline.receive import ReceiveStage
    from dicom_node.storage.files import NewFile
    from dicom_node.storage.spool import Spool

    _around(ReceiveStage, "receive", None, "before-response")
    _around(LargeArrival, "complete", None, "before-response")
    _around(Spool, "create", "before-write", None)
    _around(NewFile, "write", None, "in-write")
    _around(NewFile, "commit", None, "after-commit")
    _around(SqlStudyIndex, "register", None, "after-index")
