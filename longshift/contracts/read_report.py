"""The arguments of `read_report`: what a lead reads again of its sub-agents' work."""

from pydantic import Field

from longshift.contracts.wire import ToolArguments


class ReadReportArguments(ToolArguments):
    """Arguments of `read_report`."""

    item: str = Field(default="", max_length=100, description="The id of an item, for its whole report.")
    group: str = Field(
        default="", max_length=40, description="The name of a group of items, as a result of delegate names it."
    )
    swarm: str = Field(
        default="", max_length=100, description="Which of your swarms, such as swarm1; the latest when left out."
    )
    offset: int = Field(default=0, ge=0, description="Character of the text to begin with, from 0.")
