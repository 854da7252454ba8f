"""The command ``davfs``.

- `application`: its subcommands.
- `serve`, `mount_help`: one each.
- `console`: what an administrator reads while a drive runs, at a terminal or in a log.
- `mounting`, `windows`: how each system mounts a drive.
"""
