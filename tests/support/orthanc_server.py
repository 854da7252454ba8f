"""An Orthanc for tests whose subject is not how it stops."""

from types import TracebackType

from davfs.demo.process import OrthancProcess


class OrthancServer(OrthancProcess):
    """An Orthanc that is killed at the end of its block: it takes one to three seconds to stop in order."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.kill()
