"""What Slack takes, in characters and pieces. From its reference of blocks, elements, views and methods, and from the
validators of its SDK; what it does not document is kept well below what is known to pass.
"""

BLOCKS_PER_MESSAGE = 50
BLOCKS_PER_VIEW = 100
MESSAGE_CHARACTERS = 12_000
"""Of all texts in the blocks of one message together: beyond some 13,000 it answers `msg_blocks_too_long`."""
MESSAGE_TEXT_CHARACTERS = 4_000
"""Of `text`, which notifications show."""
HEADER_CHARACTERS = 150
SECTION_CHARACTERS = 3_000
FIELDS_PER_SECTION = 10
FIELD_CHARACTERS = 2_000
CONTEXT_ELEMENTS = 10
CONTEXT_CHARACTERS = 2_000
ELEMENTS_PER_ACTIONS = 25
BUTTON_CHARACTERS = 75
BUTTON_VALUE_CHARACTERS = 2_000
BUTTON_URL_CHARACTERS = 3_000
ID_CHARACTERS = 255
"""Of `action_id`, `block_id` and `callback_id`."""
PLAN_TITLE_CHARACTERS = 150
PLAN_TASKS = 50
TASK_TITLE_CHARACTERS = 200
VIEW_TITLE_CHARACTERS = 24
VIEW_BUTTON_CHARACTERS = 24
PRIVATE_METADATA_CHARACTERS = 3_000
INPUT_CHARACTERS = 3_000
LABEL_CHARACTERS = 2_000
METADATA_CHARACTERS = 8_000
"""Of a message's `event_payload` as JSON."""
