"""What the standard says of attributes that may tell whose an image is: DICOM PS3.15, Annex E."""
