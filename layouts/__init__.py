"""The layouts that come with the drive: TOML files, data only."""
