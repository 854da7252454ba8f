"""An Orthanc for tests whose subject is not how it stops."""

from davfs.demo.process import OrthancProcess


class OrthancServer(OrthancProcess):
    """An Orthanc that is killed at the end of its block: it takes one to three seconds to stop in order."""

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.kill()
