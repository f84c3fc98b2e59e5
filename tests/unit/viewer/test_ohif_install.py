"""OHIF is installed whole, checked, rewritten for its path, or not at all."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from dicom_node.domain.errors import ConfigurationError
from viewer.ohif import install as installer
from viewer.ohif import unpack as unpacker
from viewer.ohif.release import MARKER, find_ohif, is_installed
from viewer.ohif.rewrite import rewrite, wanted

INDEX = (
    b'<script>window.PUBLIC_URL="/"</script><link href="/app.css">'
    b'<script src="/app.js"></script><a href="//x">'
)


def _tarball(path: Path, members: dict[str, bytes], **special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in special.values():
            archive.addfile(info)
    return path


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return _tarball(
        tmp_path / "ohif.tgz",
        {
            "package/package.json": b"{}",
            "package/dist/index.html": INDEX,
            "package/dist/app.js": b'a; __webpack_require__.p = "/"; b' + b" " * 5000,
            "package/dist/app.js.map": b"{}",
            "package/dist/ort/ort.js": b"",
            "package/dist/assets/a.css": b"@font-face{src:url(/f.woff2)} i{background:url('/i.png')}",
        },
    )


def test_unpack_rewrites_paths_leaves_out_what_is_not_served_and_compresses(
    build: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "to" / "ohif"

    unpacker.unpack(build, folder)

    assert is_installed(folder)
    page = (folder / "index.html").read_text()
    assert 'window.PUBLIC_URL="/viewer/"' in page
    assert 'href="/viewer/app.css"' in page
    assert 'href="//x"' in page
    script = (folder / "app.js").read_bytes()
    assert b'__webpack_require__.p = "/viewer/";' in script
    assert gzip.decompress((folder / "app.js.gz").read_bytes()) == script
    assert (folder / "assets/a.css").read_text() == (
        "@font-face{src:url(/viewer/f.woff2)} i{background:url('/viewer/i.png')}"
    )
    assert not (folder / "app.js.map").exists()
    assert not (folder / "ort").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["ohif"]


@pytest.mark.parametrize("name", ["package/dist/../../evil", "package/dist/../x", "package/dist/a\\..\\b"])
def test_unsafe_member_names_install_nothing(tmp_path: Path, name: str) -> None:
    tarball = _tarball(tmp_path / "a.tgz", {"package/dist/index.html": INDEX, name: b"x"})

    with pytest.raises(ConfigurationError, match="no plain file"):
        unpacker.unpack(tarball, tmp_path / "to" / "ohif")
    assert list((tmp_path / "to").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_links_in_the_package_install_nothing(tmp_path: Path) -> None:
    link = tarfile.TarInfo("package/dist/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tarball = _tarball(tmp_path / "a.tgz", {}, link=link)

    with pytest.raises(ConfigurationError, match="no plain file"):
        unpacker.unpack(tarball, tmp_path / "ohif")


def test_broken_archive_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"no archive")

    with pytest.raises(ConfigurationError, match="no readable npm package"):
        unpacker.unpack(tmp_path / "a.tgz", tmp_path / "ohif")


def test_half_an_installation_is_replaced(build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "to" / "ohif"
    folder.mkdir(parents=True)
    (folder / "left-over.js").write_text("old")

    unpacker.unpack(build, folder)

    assert is_installed(folder)
    assert not (folder / "left-over.js").exists()


def test_another_file_than_the_pinned_one_is_refused(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = installer.main(["--to", str(tmp_path / "to"), "--tarball", str(build)])

    assert code == 1
    assert "not the expected file" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


def test_missing_tarball_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert installer.main(["--to", str(tmp_path / "to"), "--tarball", str(tmp_path / "none.tgz")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_without_npm_it_says_how_to_add_the_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert installer.main(["--to", str(tmp_path / "to")]) == 1
    said = capsys.readouterr().err
    assert "npm is not installed" in said
    assert "viewer.ohif.install --tarball" in said


def test_npm_that_fails_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")

    assert installer.main(["--to", str(tmp_path / "to")]) == 1
    said = capsys.readouterr().err
    assert "network unreachable" in said
    assert "To add it" in said


def test_npm_package_is_fetched_checked_and_unpacked(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f'#!/bin/sh\nfor last; do :; done\ncp {build} "$last/ohif-app.tgz"\n')
    npm.chmod(0o755)
    checked: list[Path] = []
    monkeypatch.setattr(installer, "check_integrity", checked.append)

    assert installer.install(tmp_path / "to", npm=str(npm)) is True
    assert len(checked) == 1
    assert find_ohif(tmp_path / "to") == tmp_path / "to"


def test_second_install_does_nothing(build: Path, tmp_path: Path) -> None:
    unpacker.unpack(build, tmp_path / "to")

    assert installer.install(tmp_path / "to", npm="/nonexistent") is False


def test_installation_of_another_layout_is_not_taken(build: Path, tmp_path: Path) -> None:
    unpacker.unpack(build, tmp_path / "to")
    (tmp_path / "to" / MARKER).write_text("{}")

    assert not is_installed(tmp_path / "to")


@pytest.mark.parametrize("name", ["sw.js", "silent-refresh.html", "google.js", "ort/ort.js", "a.js.map"])
def test_files_that_ask_the_outside_or_are_not_used_stay_out(name: str) -> None:
    assert not wanted(PurePosixPath(name))


def test_other_files_stay_as_they_are() -> None:
    assert rewrite(PurePosixPath("a.wasm"), b'"/x"') == b'"/x"'


def test_frames_of_maps_begin_at_a_count_of_bytes() -> None:
    published = (
        b"const view = new sourcePixelData.constructor(sourcePixelData.buffer, i * sliceLength, sliceLength);"
    )
    assert rewrite(PurePosixPath("a.js"), published) == published.replace(
        b"i * sliceLength,", b"i * sliceLength * sourcePixelData.BYTES_PER_ELEMENT,"
    )


def test_view_is_drawn_anew_when_it_learns_its_findings() -> None:
    published = (
        b"  state.trackingIdentifiersByViewportId[viewport.id] = {\n"
        b"    trackingUniqueIdentifiers,\n    activeIndex\n  };\n}"
    )
    assert rewrite(PurePosixPath("a.js"), published) == published[:-1] + b"  viewport.render();\n}"


def test_published_build_has_each_fault_once() -> None:
    """Of another release the mends must be looked at again."""
    folder = find_ohif()
    if folder is None:
        pytest.skip("needs OHIF")
    scripts = [path.read_bytes() for path in folder.glob("*.js")]
    for mended in (
        rb"buffer, i \* sliceLength \* sourcePixelData.BYTES_PER_ELEMENT,",
        rb"activeIndex\s*\};\s*viewport.render\(\);",
    ):
        assert sum(len(re.findall(mended, script)) for script in scripts) == 1
