"""De-identification by the Basic Application Level Confidentiality Profile: the rules (DICOM PS3.15, Annex E)."""
