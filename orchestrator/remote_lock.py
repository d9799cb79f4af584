"""One run a repository on the forge: a lease on a ref there, renewed while the run lives, taken over when it died."""

from __future__ import annotations

from types import TracebackType


class RemoteLock:
    """Taken by ``with``; raises RepositoryHeld where another run has it and is alive. A thread renews it."""

    run: str

    def __enter__(self) -> RemoteLock:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    @property
    def lost(self) -> str:
        """Why this run has the lock no longer; empty while it has it. Once lost, nothing may be pushed."""
        raise NotImplementedError

    @property
    def stop_wanted(self) -> bool:
        """Whether somebody asked on the forge that the run ends; looked up with each renewal."""
        raise NotImplementedError
