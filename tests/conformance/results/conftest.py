"""Results of synthetic series, encoded once a session."""

import io
import shutil
import subprocess

import pydicom
import pytest
from predicted_series import make_case

from dicom_node.domain.result import ResultKind
from inference.encode.choice import ResultChoice

#: (rows, columns): one that packs into whole bytes, and one on which viewers fail first.
MATRICES = {"256x256": (256, 256), "217x181": (217, 181)}


@pytest.fixture(scope="session", params=[*MATRICES])
def case(request):
    rows, columns = MATRICES[request.param]
    return make_case(slices=9, rows=rows, columns=columns)


@pytest.fixture(scope="session")
def results(case):
    return case.encode(choice=ResultChoice())


@pytest.fixture(scope="session")
def datasets(results):
    """Data sets by kind: measurement report, full report, segmentation, pictures."""
    read = [pydicom.dcmread(io.BytesIO(result.data)) for result in results]
    reports = [ds for ds, result in zip(read, results, strict=True) if result.kind is ResultKind.SR]
    return {
        "measurements": next(ds for ds in reports if ds.ConceptNameCodeSequence[0].CodeValue == "126000"),
        "report": next(ds for ds in reports if ds.ConceptNameCodeSequence[0].CodeValue != "126000"),
        "segmentation": next(ds for ds in read if ds.Modality == "SEG"),
        "pictures": [ds for ds in read if ds.Modality == "OT"],
    }


@pytest.fixture(scope="session")
def run_tool(tmp_path_factory):
    """Run a program on Part 10 bytes, and return its standard output and error."""

    def run(program, part10):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
        path = tmp_path_factory.mktemp("tool") / "object.dcm"
        path.write_bytes(part10)
        done = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout, done.stderr

    return run
