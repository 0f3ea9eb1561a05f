"""The tool `edit_file`: an exact replacement in a text file, safe to repeat after a crash at any moment."""

import os
from typing import Final

from longshift.adapters.tools.edit_record import EditRecord, content_hash
from longshift.adapters.tools.encodings import SNIFF_BYTES, UTF_8, TextEncoding, binary_kind, sniff
from longshift.adapters.tools.located import Target
from longshift.adapters.tools.outcome import ToolContext, ToolOutcome, ToolRefused, counted
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.replacement import replace
from longshift.adapters.tools.replacing import replace_file
from longshift.adapters.tools.write_file import encoded
from longshift.contracts.tools import EditFileArguments, ToolStatus

FILE_LIMIT_BYTES: Final = 50_000_000


def edit_file(arguments: EditFileArguments, tree: Tree, context: ToolContext) -> ToolOutcome:
    """Apply the edit, unless an earlier attempt at the same call has applied it.

    Raises:
        ToolRefused: The old text is not there or not unique, or the file cannot be edited.
        OSError: The file cannot be written.
    """
    with tree.locate(arguments.path) as located, open(located.open_file(), "rb") as file:
        if located.status.st_size > FILE_LIMIT_BYTES:
            raise ToolRefused(
                f"{arguments.path} has {counted(located.status.st_size, 'byte')}; edit_file takes at most "
                f"{FILE_LIMIT_BYTES:,}. Use a program through bash."
            )
        content = file.read(FILE_LIMIT_BYTES + 1)
        found = (located.status.st_dev, located.status.st_ino)
    with tree.place(arguments.path) as target:
        record = EditRecord.load(context.outputs_root, context.run_key)
        now = content_hash(content)
        if record is not None and record.path == target.relative:
            if now == record.after:
                return _done(record)
            if now != record.before:
                raise ToolRefused(
                    f"This edit was interrupted, and {target.relative} has changed meanwhile: whether the edit was "
                    "applied is unknown. Read the file before you repeat it."
                )
        if target.existing is None or (target.existing.st_dev, target.existing.st_ino) != found:
            raise ToolRefused(f"{arguments.path} was replaced while it was read; try again.")
        return _apply(arguments, target, content, context)


def _apply(arguments: EditFileArguments, target: Target, content: bytes, context: ToolContext) -> ToolOutcome:
    encoding = _encoding(arguments, content)
    encoded(arguments.new, "new")  # before surrogateescape could take half a character for a byte
    try:
        text = encoding.decode(content)
    except UnicodeDecodeError as error:
        raise ToolRefused(f"{arguments.path} is not valid {encoding.name}: {error.reason}.") from None
    replaced = replace(text, arguments.old, arguments.new, replace_all=arguments.replace_all, path=target.relative)
    changed = encoding.encode(replaced.text)
    record = EditRecord(
        path=target.relative,
        before=content_hash(content),
        after=content_hash(changed),
        text=f"Edited {target.relative}: {counted(replaced.count, 'replacement')}.\n{replaced.changes}",
    )
    record.keep(context.outputs_root, context.run_key)
    replace_file(target, changed, run_key=context.run_key)
    return _done(record)


def _encoding(arguments: EditFileArguments, content: bytes) -> TextEncoding:
    beginning = content[:SNIFF_BYTES]
    encoding = sniff(beginning)
    if encoding is None or (encoding.codec == UTF_8.codec and b"\x00" in content):
        kind = binary_kind(beginning, os.path.basename(arguments.path))
        raise ToolRefused(f"{arguments.path} is a binary file ({kind}); edit_file takes text only.")
    return encoding


def _done(record: EditRecord) -> ToolOutcome:
    return ToolOutcome(ToolStatus.OK, record.text, changes_workspace=True, summary=f"edited {record.path}")
