"""De-identifies one instance and vouches for the result.

References
----------
PS3.15 Annex E; PS3.3 §C.12.1 (SOP Common), §C.7.1.1 (Patient Identity Removed and method).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from anonymizer.actions import Pass
from anonymizer.codec import Codec, Dataset, Element
from anonymizer.content import ContentRules
from anonymizer.context import StudyContext, Survey
from anonymizer.dates import DateMapper, shift
from anonymizer.eligibility import WAIVE_LOOK, check_instance, check_transfer_syntax
from anonymizer.errors import CannotVouch, OptionUnavailable
from anonymizer.leaves import Tools
from anonymizer.markers import MARKERS, markers
from anonymizer.outcome import (
    CORE_IDENTITY,
    RETIRED_IDENTITY,
    SOP_CLASS_UID,
    Deidentified,
    identity,
    keyword,
    report,
)
from anonymizer.part10 import File, Part10, standard_dictionary, text_value
from anonymizer.pixels.cleaner import PixelCleaner
from anonymizer.pixels.extent import PIXELS, check_described
from anonymizer.plan import Plan
from anonymizer.profile import Option, Profile
from anonymizer.table import (
    load_attribute_types,
    load_content_rules,
    load_known_attributes,
    load_safe_private,
    load_table,
)
from anonymizer.text.cleaning import TextCleaner
from anonymizer.text.elements import ElementText
from anonymizer.text.encoding import encodings, plain_text
from anonymizer.text.evidence import Evidence
from anonymizer.uids import PatientMapper, UidMapper
from anonymizer.validation import IodValidator
from anonymizer.verify import Verifier

if TYPE_CHECKING:
    from datetime import date

    from anonymizer.faces.cleaner import FaceCleaner
    from anonymizer.pixels.cleaner import PixelOutcome

DIRECTORY_RECORDS: Final = 0x00041220
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
INSTANCE_NUMBER: Final = 0x00200013
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021


class Engine:
    """Applies a profile. Thread-safe; the same key, profile and input give the same output.

    Parameters
    ----------
    key
        At least 16 random bytes, kept secret and kept: all pseudonyms and date shifts depend on it.
    profile
        Options of the Basic Profile.
    pixels
        Takes text out of pixels; the option Clean Pixel Data needs it. Without it, instances whose pixels
        often hold text are refused.
    faces
        Takes the face off a whole series that this engine has de-identified; the option Clean Recognizable
        Visual Features needs it. Whoever passes instances on calls it, as `anonymizer.files` does.
    redact
        Black out text in pixels; `False` keeps such instances back.
    validate
        Have dciodvfy compare inputs and outputs, of three instances of each series, where it is installed.

    Raises
    ------
    ValueError
        If the key is too short.
    OptionUnavailable
        If the profile cleans pixels or faces and nothing was given to do so.
    """

    def __init__(
        self,
        key: bytes,
        profile: Profile | None = None,
        *,
        pixels: PixelCleaner | None = None,
        faces: FaceCleaner | None = None,
        redact: bool = True,
        validate: bool = False,
    ) -> None:
        self.profile = Profile() if profile is None else profile
        if Option.CLEAN_PIXEL_DATA in self.profile and pixels is None:
            raise OptionUnavailable(
                "clean-pixel-data needs a pixel cleaner; give one or leave the option out"
            )
        faces_go = Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES in self.profile
        if faces_go and faces is None:
            raise OptionUnavailable(
                "clean-recognizable-visual-features needs a face cleaner; give one or leave the option out"
            )
        #: To be called on each series; `None` where the profile leaves faces alone.
        self.faces = faces if faces_go else None
        self._pixels = pixels or PixelCleaner()
        self._uids = UidMapper(key)
        self._patients = PatientMapper(key)
        self._dates = DateMapper(key)
        table, self._types = load_table(), load_attribute_types()
        self.edition = table.edition
        dictionary = standard_dictionary(table)
        self._plan = Plan(table, self._types, load_known_attributes(), self.profile, dictionary)
        self._content = ContentRules(load_content_rules(), self.profile)
        self._safe_private = load_safe_private() if Option.RETAIN_SAFE_PRIVATE in self.profile else {}
        self._part10 = Part10(dictionary)
        self._verifier = Verifier(table, self._plan, self.profile, self._part10, self._safe_private)
        self._redacts = redact
        self._validator = IodValidator.where_installed(self._part10) if validate else None
        self._identity_tags = self._types.identity | CORE_IDENTITY | RETIRED_IDENTITY | {MARKERS[3]}

    def warm_up(self) -> None:
        """Read what the first instance would wait for: the vocabulary, and the text networks if used."""
        self._words(Evidence(self._types.body_parts), "").clean(Element("LO", b"Dr. A 1.1.2001"), (), "free")
        if Option.CLEAN_PIXEL_DATA in self.profile:
            with suppress(CannotVouch):  # each picture will be kept back with that reason
                self._pixels.warm_up()

    def survey(self, part10: bytes) -> Survey:
        """Read what an instance tells about its study, before any is de-identified.

        Raises
        ------
        CannotVouch
            As `deidentify`, where the bytes cannot be read or an identifier is missing.
        """
        return self._survey(self._read(part10).dataset)

    def deidentify(
        self,
        part10: bytes,
        context: StudyContext | None = None,
        *,
        vouched: frozenset[str] = frozenset(),
    ) -> Deidentified:
        """De-identify one Part 10 file and verify the result.

        Patient ID and Patient's Name become a keyed pseudonym, UIDs keyed UIDs under 2.25, ages of more
        than 89 years 90.

        Parameters
        ----------
        context
            What the instances of the study know together; `None`: this instance alone.
        vouched
            Rules by which the instance was kept back before, and for which a person who looked answers.
            Only those of `anonymizer.eligibility.WAIVABLE` count.

        Raises
        ------
        CannotVouch
            If the instance is of a kind that cannot be cleaned, or something is left.
        Unreadable
            If the bytes cannot be read to their end, or an identifier is missing.
        """
        file = self._read(part10)
        source = file.dataset
        if context is None:
            context = StudyContext.of([self._survey(source)])
        outcome, picture = self._clean_pixels(file, context, vouched)
        syntax = file.transfer_syntax_uid if outcome is None else outcome.transfer_syntax_uid
        codec, codecs = self._part10.codec(file.transfer_syntax_uid), encodings(source)
        patient = self._patients.pseudonym(
            plain_text(source, PATIENT_ID, codecs),
            plain_text(source, ISSUER_OF_PATIENT_ID, codecs),
            text_value(source, STUDY_INSTANCE_UID),
        )
        words = context.words(patient, lambda evidence: self._words(evidence, patient))
        work = Pass(self._plan, text_value(source, SOP_CLASS_UID), self._tools(codec, words, patient))
        result = work.transform(picture, 0)
        if PIXELS & result.keys():
            check_described(result, codec)
        # The caret says that a name of one component is meant; readers doubt it otherwise.
        result[PATIENT_NAME] = Element("PN", patient.encode() + b"^")
        result[PATIENT_ID] = Element("LO", patient.encode())
        own = markers(self.profile, self.edition, pixels_cleaned=outcome is not None and outcome.looked)
        result.update(own)

        data = self._part10.write(result, syntax)
        self._verifier.check(data, words, work.replaced, patient, own)
        if self._validator is not None and context.is_sampled(text_value(source, SOP_INSTANCE_UID)):
            self._validator.check(picture, result)
        return Deidentified(
            study_instance_uid=text_value(result, STUDY_INSTANCE_UID),
            series_instance_uid=text_value(result, SERIES_INSTANCE_UID),
            sop_instance_uid=text_value(result, SOP_INSTANCE_UID),
            sop_class_uid=text_value(result, SOP_CLASS_UID),
            data=data,
            original_attributes=identity(source, result, self._identity_tags, codec),
            uids=work.replaced,
            report=report(work, result, outcome, vouched, self.profile),
        )

    def _read(self, part10: bytes) -> File:
        file = self._part10.read(part10)
        check_transfer_syntax(file.transfer_syntax_uid)
        source = file.dataset
        if DIRECTORY_RECORDS in source:
            raise CannotVouch("directory", "a DICOMDIR lists other objects; leave it out", "SOPClassUID")
        for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID, SOP_CLASS_UID):
            if not text_value(source, tag):
                raise CannotVouch(
                    "missing-identifier",
                    "without it the object cannot be linked; repair it",
                    keyword(tag),
                )
        return file

    def _survey(self, source: Dataset) -> Survey:
        evidence = Evidence(self._types.body_parts, self._plan.retained)
        evidence.collect(source)
        number = text_value(source, INSTANCE_NUMBER)
        return Survey(
            text_value(source, STUDY_INSTANCE_UID),
            text_value(source, SERIES_INSTANCE_UID),
            text_value(source, SOP_INSTANCE_UID),
            int(number) if number.isascii() and number.isdecimal() else 0,
            evidence,
        )

    def _clean_pixels(
        self, file: File, context: StudyContext, vouched: frozenset[str]
    ) -> tuple[PixelOutcome | None, Dataset]:
        """The outcome, or `None` where there are no pixels; and the data set with clean pixels.

        Unused bits, bytes behind the pixels and comments in compressed streams are no pixels: they go under
        every profile.
        """
        source = file.dataset
        looks = Option.CLEAN_PIXEL_DATA in self.profile
        check_instance(source, self._types.iod_of, vouched, pixels_are_cleaned=looks)
        if not PIXELS & source.keys():
            return None, source
        series, instance = text_value(source, SERIES_INSTANCE_UID), text_value(source, SOP_INSTANCE_UID)
        picture = dict(source)
        outcome = self._pixels.clean(
            picture,
            file.transfer_syntax_uid,
            self._part10.codec(file.transfer_syntax_uid),
            thorough=context.must_look(series, instance) if looks and not vouched & WAIVE_LOOK else None,
        )
        if outcome.boxes:
            context.suspect(series)
            if not self._redacts:
                raise CannotVouch(
                    "pixels-hold-text",
                    "text is written in them, and the configuration keeps such back; look at it, then"
                    " release or delete it",
                    "PixelData",
                )
        return outcome, picture

    def _words(self, evidence: Evidence, patient: str) -> ElementText:
        days = self._dates.days(patient)

        def move(day: date) -> date | None:
            if Option.RETAIN_LONGITUDINAL_FULL_DATES in self.profile:
                return day
            if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in self.profile:
                return shift(day, days)
            return None

        scan = TextCleaner(evidence, date_shift=move)
        return ElementText(scan, TextCleaner(evidence, aggressive=True, date_shift=move), evidence)

    def _tools(self, codec: Codec, words: ElementText, patient: str) -> Tools:
        return Tools(
            uids=self._uids,
            words=words,
            content=self._content,
            codec=codec,
            days=self._dates.days(patient),
            safe_private=self._safe_private,
        )
