"""What an administrator may set: in Orthanc's configuration, in a TOML file, in options and in the environment."""
