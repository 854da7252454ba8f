"""Settings of the administrator: in Orthanc's configuration, a TOML file, options and environment variables.

- `table` declares all settings; `checks` checks their values; `configuration` has them as typed values.
- `plugin` and `standalone` read them, the latter with `toml_file`.
- `setup` prepares what they name; `layout_files` loads the layouts; `state_folder` locks the drive's own files.
"""
