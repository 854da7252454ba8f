"""The command ``davfs``.

- `application` has its subcommands: `serve`, `mount_help`, `audit`, `layout` with `preview`.
- `options` makes the options of settings.
- `console` prints what an administrator reads while a drive runs, at a terminal or in a log.
- `mounting` and `windows` have the steps to mount a drive on each system.
"""
