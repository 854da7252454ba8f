"""``davfs layout preview``: draws what a layout makes of an archive, or of files that lie in a folder."""
