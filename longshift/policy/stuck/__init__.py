"""Whether an agent is stuck: evidence step by step becomes signals with reasons, from values alone.

`state` takes evidence in and is all that the loop calls; `signals` lists who looks for what. What is done about a
signal is `policy.ladder`'s business, and how evidence comes about the loop's.
"""

from longshift.policy.stuck.keeping import tree_hash
from longshift.policy.stuck.state import answered, forgotten, observed, with_tree

__all__ = ["answered", "forgotten", "observed", "tree_hash", "with_tree"]
