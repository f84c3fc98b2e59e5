"""A node that kills itself with SIGKILL at a named moment: `faulty_node.py NODE_YAML [before|after STEP]`."""

import os
import signal
import sys
from pathlib import Path

from dicom_node.app.build import build_node
from dicom_node.observability.logging import configure_logging
from dicom_node.settings import load_settings

configuration, *fault = sys.argv[1:]


def kill(moment, step):
    if [moment, step] == fault:
        os.kill(os.getpid(), signal.SIGKILL)


configure_logging("info", "json")
node = build_node(load_settings(Path(configuration)), hook=kill)
node.start()
node.serve()
