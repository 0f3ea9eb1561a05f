"""The tool `write_file`: a whole new content, in place of what was there."""

from longshift.adapters.tools.outcome import ToolOutcome, ToolRefused, counted
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.replacing import replace_file
from longshift.contracts.tools import ToolStatus, WriteFileArguments


def write_file(arguments: WriteFileArguments, tree: Tree, *, run_key: str) -> ToolOutcome:
    """Write the file; repeating the call gives the same file and the same result.

    Raises:
        ToolRefused: The path is no place for a file, or the content cannot be encoded.
        OSError: The file cannot be written.
    """
    content = encoded(arguments.content, "content")
    with tree.place(arguments.path) as target:
        replace_file(target, content, run_key=run_key)
        relative = target.relative
    lines = arguments.content.count("\n") + (not arguments.content.endswith("\n") and bool(content))
    text = f"Wrote {relative}: {counted(lines, 'line')}, {counted(len(content), 'byte')}."
    return ToolOutcome(ToolStatus.OK, text, changes_workspace=True, summary=f"wrote {relative}")


def encoded(text: str, argument: str) -> bytes:
    """`text` as UTF-8.

    Raises:
        ToolRefused: It holds a lone surrogate, which no file can.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolRefused(
            f"{argument} holds half of a character (an unpaired surrogate) at position {error.start}; "
            "nothing was written."
        ) from None
