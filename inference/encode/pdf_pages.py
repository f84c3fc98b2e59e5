"""Sections and pictures as pages of a PDF; knows nothing of DICOM or of patients."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import reportlab
from PIL import Image
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Image as Picture
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from dicom_node.domain.finding import Code
from inference.encode.report_content import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable

    from dicom_node.domain.finding import Measurement
    from inference.encode.report_content import Section

_FONTS = Path(reportlab.__file__).with_name("fonts")
_NORMAL, _BOLD = "Vera", "VeraBd"
_MARGIN = 18 * mm
#: What a frame leaves beside its content, by reportlab.
_PADDING = 6
_WIDTH = A4[0] - 2 * _MARGIN - 2 * _PADDING
_LABEL_WIDTH = 50 * mm
#: Two pictures side by side, none higher than this.
_PICTURE_WIDTH = (_WIDTH - 6 * mm) / 2
_PICTURE_HEIGHT = 78 * mm
#: Larger pictures are reduced: at the size of a page nobody sees more.
_PICTURE_PIXELS = 700

_BODY = ParagraphStyle("body", fontName=_NORMAL, fontSize=8.5, leading=11.5)
_LABEL = ParagraphStyle("label", _BODY, textColor=colors.HexColor("#444444"))
_SMALL = ParagraphStyle("small", _BODY, fontSize=7.5, leading=10)
_HEADING = ParagraphStyle(
    "heading", _BODY, fontName=_BOLD, fontSize=10, leading=13, spaceBefore=8, spaceAfter=3
)
_TITLE = ParagraphStyle("title", _BODY, fontName=_BOLD, fontSize=14, leading=18)
_VERDICT = ParagraphStyle("verdict", _BODY, fontName=_BOLD, fontSize=11, leading=15)
_NOTICE = ParagraphStyle(
    "notice", _BODY, fontName=_BOLD, borderColor=colors.HexColor("#a33a00"), borderWidth=1, borderPadding=4
)


def make_pdf(
    title: str,
    verdict: str,
    notices: Sequence[str],
    sections: Sequence[Section],
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
    footer: str,
) -> bytes:
    """Lay out a report on A4 pages; the same content gives the same bytes.

    Parameters
    ----------
    title, verdict
        The largest line, and the one below it.
    notices
        Stand framed below these.
    pictures
        Captions and RGB uint8 (rows, columns, 3), put after the first section.
    footer
        Stands on every page, beside its number.
    """
    _prepare_library()
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 6 * mm,
        title=_plain(title),
        author="DICOM Node",
        lang="en",
        # No time of making and no random identifier.
        invariant=1,
    )

    def page(canvas: Canvas, _: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(_NORMAL, 7)
        canvas.drawString(_MARGIN + _PADDING, _MARGIN - 2 * mm, _plain(footer))
        canvas.drawRightString(A4[0] - _MARGIN - _PADDING, _MARGIN - 2 * mm, f"Page {canvas.getPageNumber()}")
        canvas.restoreState()

    head: list[Flowable] = [Paragraph(_marked(title), _TITLE), Paragraph(_marked(verdict), _VERDICT)]
    for notice in notices:
        head += [Spacer(0, 3 * mm), Paragraph(_marked(notice), _NOTICE), Spacer(0, 2 * mm)]
    document.build(head + _story(sections, pictures), onFirstPage=page, onLaterPages=page)
    return buffer.getvalue()


def _story(sections: Sequence[Section], pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> list[Flowable]:
    story: list[Flowable] = []
    for place, section in enumerate(sections):
        story += _section(section)
        if place == 0 and pictures:
            story += [Spacer(0, 3 * mm), _pictures(pictures)]
    return story


def _section(section: Section) -> list[Flowable]:
    rows = [
        [Paragraph(_marked(label), _LABEL), Paragraph(_marked(text), _BODY)]
        for label, text in map(_words, section.lines)
    ]
    table = Table(rows, colWidths=[_LABEL_WIDTH, _WIDTH - _LABEL_WIDTH], repeatRows=0)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor("#cccccc")),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ]
        )
    )
    heading = Paragraph(_marked(section.heading.meaning), _HEADING)
    # A heading does not stand alone at the foot of a page; long tables go on over several.
    return [KeepTogether([heading, table])] if len(rows) <= 12 else [heading, table]


def _words(line: Line | Measurement) -> tuple[str, str]:
    if not isinstance(line, Line):
        unit = "" if line.unit.value == "1" else f" {line.unit.value}"
        return line.name.meaning, f"{line.value:,.6g}{unit}"
    value = line.value.meaning if isinstance(line.value, Code) else line.value
    return line.name.meaning, value


def _pictures(pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> Table:
    cells = [[_picture(pixels), Paragraph(_marked(caption), _SMALL)] for caption, pixels in pictures]
    rows = [cells[start : start + 2] for start in range(0, len(cells), 2)]
    rows[-1] += [[]] * (2 - len(rows[-1]))
    table = Table(rows, colWidths=[_PICTURE_WIDTH + 3 * mm] * 2)
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return table


def _picture(pixels: NDArray[np.uint8]) -> Picture:
    image = Image.fromarray(pixels)
    image.thumbnail((_PICTURE_PIXELS, _PICTURE_PIXELS), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    buffer.seek(0)
    scale = min(_PICTURE_WIDTH / image.width, _PICTURE_HEIGHT / image.height)
    return Picture(buffer, image.width * scale, image.height * scale)


def _prepare_library() -> None:
    """Embedded fonts look the same everywhere; reportlab brings these."""
    # Pictures as they are: as text they take longer to write than all the rest.
    rl_config.useA85 = 0
    for name in (_NORMAL, _BOLD):
        if name not in getRegisteredFontNames():
            registerFont(TTFont(name, _FONTS / f"{name}.ttf"))
    registerFontFamily(_NORMAL, normal=_NORMAL, bold=_BOLD, italic=_NORMAL, boldItalic=_BOLD)


def _marked(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    """What the fonts can draw; other letters become question marks."""
    return text.encode("cp1252", "replace").decode("cp1252")
