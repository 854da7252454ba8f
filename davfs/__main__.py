"""``python -m davfs``: the command ``davfs``."""

from davfs.commands.application import app

if __name__ == "__main__":
    app(prog_name="davfs")
