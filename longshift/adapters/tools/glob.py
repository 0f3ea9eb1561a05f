"""The tool `glob`: files by the shape of their paths, without ignored ones."""

import asyncio
from typing import Final

from longshift.adapters.tools.outcome import ToolContext, ToolOutcome, ToolRefused, counted
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.ripgrep import Ripgrep
from longshift.adapters.tools.searched_place import SearchedPlace
from longshift.contracts.tools import GlobArguments, ToolStatus

FILES_LIMIT: Final = 1_000


async def glob(arguments: GlobArguments, tree: Tree, ripgrep: Ripgrep, context: ToolContext) -> ToolOutcome:
    """List files.

    Raises:
        ToolRefused: The path is no folder of the tree, the glob is malformed, or it takes too long.
    """
    place = await asyncio.to_thread(SearchedPlace.find, tree, arguments.path, context)
    if not place.is_folder:
        raise ToolRefused(f"{arguments.path} is a file; give the folder to search in.")
    try:
        files = sorted(await ripgrep.files(place, place.anchored(arguments.pattern)))
    except TimeoutError:
        raise ToolRefused(
            f"Listing took longer than {ripgrep.timeout_seconds:g} s and was stopped; search in a smaller folder."
        ) from None
    summary = f"glob {arguments.pattern}: {counted(len(files), 'file')}"
    if not files:
        where = "" if place.relative == "." else f" beneath {place.relative}"
        text = f"No files match {arguments.pattern}{where} (ignored files are not listed)."
        return ToolOutcome(ToolStatus.OK, text, summary=summary)
    rows = files[:FILES_LIMIT]
    if len(files) > FILES_LIMIT:
        rows.append(f"[the first {FILES_LIMIT:,} of {len(files):,} files, by path; narrow the pattern to see others]")
    return ToolOutcome(ToolStatus.OK, "\n".join(rows), summary=summary)
