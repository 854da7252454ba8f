"""Options of the Basic Application Level Confidentiality Profile, which anonymised layouts choose.

Source: DICOM PS3.15 section E.3; the codes are those of PS3.16, CID 7050.
"""

from dataclasses import dataclass

MODIFIED_DATES = "modified dates"
PATIENT_CHARACTERISTICS = "patient characteristics"
STRUCTURED_CONTENT = "structured content"
AS_THEY_ARE = "as they are"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an anonymised layout.

    Attributes:
        modified_dates: Retain Longitudinal Temporal Information With Modified Dates: dates are shifted by a number of
            days for each patient, so that the time between them stays.
        patient_characteristics: Retain Patient Characteristics: age, sex, size, weight.
        structured_content: Clean Structured Content: reports keep codes and measurements, and lose their texts.
        pixels_as_they_are: Images that may show a name are served. This is no option of the standard.
    """

    modified_dates: bool = False
    patient_characteristics: bool = False
    structured_content: bool = False
    pixels_as_they_are: bool = False

    @property
    def codes(self) -> tuple[tuple[str, str], ...]:
        """Values and meanings of the codes (scheme DCM) of the profile and these options."""
        chosen = {
            ("113104", "Clean Structured Content Option"): self.structured_content,
            ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"): self.modified_dates,
            ("113108", "Retain Patient Characteristics Option"): self.patient_characteristics,
        }
        return ("113100", "Basic Application Confidentiality Profile"), *(code for code, on in chosen.items() if on)


PROFILE_ALONE = Options()
"""No option."""
