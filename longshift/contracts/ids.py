"""Every id, queue name and object key is built here and nowhere else."""

import hashlib
import re
from datetime import UTC, datetime

TASK_ID_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$"
"""Task ids are part of workflow ids, object keys and folder names: lower case, no slash, at most 100 characters."""

TASK_ID_MAX_CHARACTERS = 100

ITEM_ROOM_CHARACTERS = 46
"""A swarm's id leaves so much for the name of an item, or of one that mends its merge."""
INTEGRATION = "integration"
SEED = "seed"

KEY_SLUG_CHARACTERS = 40

GATE_KEY_CHARACTERS = 200

LEAD = "lead"
"""The name of a session's first agent."""

CONTROL_QUEUE = "longshift-control"
"""Workflows, and local activities of bookkeeping."""
MODEL_QUEUE = "longshift-model"
"""Calls to model providers; any worker may take them."""
HOST_QUEUES_PREFIX = "longshift-host"
"""What every queue that hosts poll begins with."""
HOSTS_QUEUE = "longshift-hosts"
"""Slots for sessions, from any host: what waits here is the queue."""
SUB_AGENT_HOSTS_QUEUE = "longshift-hosts-sub-agents"
"""Slots for sub-agents, from any host."""
DELIVERY_QUEUE = "longshift-delivery"
"""Branches and pull requests; the workers that take them need not be hosts, so that no token has to be on a host."""
PEOPLE_QUEUE = "longshift-people"
"""Messages to people outside; only workers that know where to may take them."""

FLEET_WORKFLOW_ID = "fleet"
"""The workflow id of what all sessions together spend."""

TASK_HASH_MEMO = "task_hash"
"""The memo by which a session is known as that of a certain task."""
REQUEUE_OF_MEMO = "requeue_of"
"""The memo that names the task whose session this one tries again."""
STARTED_FROM_MEMO = "started_from"
"""The memo that names the session, and the step, that this one goes on from."""
CHANGES_ARTIFACT = "changes.bundle"
"""The deliverable that a branch is made of."""
SCHEDULE_NAME_CHARACTERS = 80
"""A task id has room for the name and the time of a fire."""


def is_task_id(text: str) -> bool:
    """Whether `text` can name a task."""
    return re.fullmatch(TASK_ID_PATTERN, text) is not None


def keyed_task_id(source: str, key: str) -> str:
    """The task id of an idempotency key: readable, and another one for every source and key."""
    plain = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:KEY_SLUG_CHARACTERS].strip("-")
    digest = hashlib.sha256(f"{source}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain or 'task'}-{digest[:16]}"


def requeued_task_id(task_id: str) -> str:
    """The id of a task that is queued once more: `mend` gives `mend.r2`, which gives `mend.r3`."""
    return _next_id(task_id, "r")


def continued_task_id(task_id: str) -> str:
    """The id of a session that goes on from a note: `mend` gives `mend.c2`, which gives `mend.c3`."""
    return _next_id(task_id, "c")


def forked_task_id(task_id: str, step: int) -> str:
    """The id of a fork: `mend` at step 12 gives `mend.f12`."""
    return _with_suffix(task_id, f"f{step}")


def _next_id(task_id: str, letter: str) -> str:
    found = re.fullmatch(rf"(.+)\.{letter}([1-9]\d{{0,5}})", task_id)
    base, number = (found[1], int(found[2]) + 1) if found else (task_id, 2)
    return _with_suffix(base, f"{letter}{number}")


def _with_suffix(base: str, suffix: str, *, room: int = 0) -> str:
    """`room` is how many characters have to be free behind it."""
    limit = TASK_ID_MAX_CHARACTERS - room
    if len(f"{base}.{suffix}") > limit:
        kept = limit - len(suffix) - 10
        base = f"{base[: min(80, kept)]}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
    return f"{base}.{suffix}"


def session_workflow_id(task_id: str) -> str:
    """The workflow id of a task's session."""
    return f"session/{task_id}"


def bulletin_workflow_id(task_id: str) -> str:
    """The workflow id of what tells people of a task's session."""
    return f"people/{task_id}"


def is_schedule_name(text: str) -> bool:
    """Whether `text` can name a schedule; the ids of its tasks begin with it."""
    return is_task_id(text) and len(text) <= SCHEDULE_NAME_CHARACTERS


def firing_workflow_id(schedule: str) -> str:
    """How the workflow id of every fire begins; the engine adds its time, as in `-2026-11-28T02:00:00Z`."""
    return f"schedule/{schedule}"


def fired_at(firing_id: str) -> datetime | None:
    """The time that the engine put at the end of a firing's workflow id."""
    found = re.search(r"-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z$", firing_id)
    return datetime.fromisoformat(f"{found[1]}+00:00") if found else None


def fired_task_id(schedule: str, moment: datetime) -> str:
    """The task id of the fire that was due at `moment`, such as `nightly-20261128t020000z`."""
    return f"{schedule}-{moment.astimezone(UTC):%Y%m%dt%H%M%Sz}"


def agent_id(task_id: str, name: str = LEAD, shift: int = 1) -> str:
    """The id of one agent of a task; `shift` counts the fresh starts after a deadline, from 1."""
    return f"{task_id}/{name}" if shift == 1 else f"{task_id}/{name}-{shift}"


def task_of_agent(agent: str) -> str:
    """The task id that an agent's id begins with."""
    return agent.partition("/")[0]


def shift_of_agent(agent: str) -> int:
    """The shift that an agent's id names, from 1."""
    found = re.fullmatch(r"[^/]+/.+-([1-9]\d*)", agent)
    return int(found[1]) if found else 1


def swarm_id(agent: str, number: int) -> str:
    """The id of the swarm that an agent of a session starts as its `number`th: `mend.swarm1`, of a second shift
    `mend.swarm2-1`. Its items are tasks of their own, whose ids begin with it; no submitted task's id does."""
    shift = shift_of_agent(agent)
    name = f"swarm{number}" if shift == 1 else f"swarm{shift}-{number}"
    return _with_suffix(task_of_agent(agent), name, room=ITEM_ROOM_CHARACTERS)


def item_task_id(swarm: str, item: str) -> str:
    """The id of an item's task; also of its workspace, and what its agent's id begins with."""
    return f"{swarm}.{item}"


def is_sub_task_id(task_id: str) -> bool:
    """Whether a task id belongs to an item of a swarm, or to its integration: nobody may submit one."""
    return re.search(r"\.swarm\d+(?:-\d+)?\.", f"{task_id}.") is not None


def swarm_of(task_id: str) -> str:
    """The swarm that a task of one belongs to; empty for any other task."""
    found = re.match(r"(.+\.swarm\d+(?:-\d+)?)\.[^.]", task_id)
    return found[1] if found else ""


def holder_workflow_id(task_id: str) -> str:
    """The workflow that works in the workspace of a task: a session, an item, or a swarm where it merges."""
    swarm = swarm_of(task_id)
    if not swarm:
        return session_workflow_id(task_id)
    is_of_swarm = task_id in {integration_id(swarm), seed_id(swarm)}
    return swarm_workflow_id(swarm) if is_of_swarm else item_workflow_id(task_id)


def integration_id(swarm: str) -> str:
    """The task and workspace in which a swarm's work is merged; no item may be named so."""
    return item_task_id(swarm, INTEGRATION)


def seed_id(swarm: str) -> str:
    """The task and workspace from which a host without the session's workspace makes those of items."""
    return item_task_id(swarm, SEED)


def is_seed_id(task_id: str) -> bool:
    """Whether a task id belongs to the seed of a swarm."""
    return is_sub_task_id(task_id) and task_id.endswith(f".{SEED}")


def resolver_item(item: str, number: int) -> str:
    """The name of the `number`th sub-agent that mends the merge of an item; no item may have a name with a dot."""
    return f"{item}.fix{number}"


def item_of_resolver(name: str) -> str:
    """The item whose merge the sub-agent of this name mends."""
    return name.rpartition(".")[0]


def swarm_workflow_id(swarm: str) -> str:
    """The workflow id of a swarm."""
    return f"swarm/{swarm}"


def item_workflow_id(task_id: str) -> str:
    """The workflow id of an item, by the id of its task."""
    return f"item/{task_id}"


def plan_key(swarm: str, plan_hash: str) -> str:
    """Object key of a swarm's plan; each version has its own."""
    return f"swarms/{swarm}/plan-{plan_hash}.json"


def plan_files_key(swarm: str, plan_hash: str) -> str:
    """Object key of the list of files that a plan was checked against, shortened, for whoever judges the plan."""
    return f"swarms/{swarm}/plan-{plan_hash}-files.json"


def plan_verdict_key(swarm: str, plan_hash: str, number: int) -> str:
    """Object key of what the critic says of a plan, in its `number`th round, from 1."""
    return f"swarms/{swarm}/plan-{plan_hash}-verdict-{number}.json"


def item_report_key(swarm: str, item: str, attempt: int) -> str:
    """Object key of the report of an attempt at an item."""
    return f"swarms/{swarm}/items/{item}/report-{attempt}.json"


def item_changes_key(swarm: str, item: str, attempt: int) -> str:
    """Object key of the work of an attempt at an item."""
    return f"swarms/{swarm}/items/{item}/changes-{attempt}.bundle"


def integration_key(swarm: str, number: int) -> str:
    """Object key of the `number`th integrated state, from 1: a bundle on top of the lead's base."""
    return f"swarms/{swarm}/integration-{number}.bundle"


def merge_key(swarm: str, number: int) -> str:
    """Object key of what the `number`th merge came to, from 1."""
    return f"swarms/{swarm}/merge-{number}.json"


def conflict_key(swarm: str, item: str, number: int) -> str:
    """Object key of what the `number`th resolver of an item starts from."""
    return f"swarms/{swarm}/items/{item}/conflict-{number}.json"


def conflict_bundle_key(swarm: str, item: str, number: int) -> str:
    """Object key of the files that the `number`th resolver of an item begins with."""
    return f"swarms/{swarm}/items/{item}/conflict-{number}.bundle"


def swarm_result_key(swarm: str) -> str:
    """Object key of a swarm's whole result: the reports' places, the merges, the critical path."""
    return f"swarms/{swarm}/result.json"


def agent_workflow_id(agent: str) -> str:
    """The workflow id of an agent."""
    return f"agent/{agent}"


def gate_workflow_id(key: str) -> str:
    """The workflow id of the gate that counts the sessions of `key`; a long key keeps its end, and a hash."""
    if len(key) <= GATE_KEY_CHARACTERS:
        return f"gate/{key}"
    return f"gate/{hashlib.sha256(key.encode()).hexdigest()[:16]}:{key[-GATE_KEY_CHARACTERS:]}"


def host_queue(host_id: str) -> str:
    """The task queue that only the host `host_id` polls."""
    return f"longshift-host-{host_id}"


def host_slots_queue(host_id: str) -> str:
    """Slots of the host `host_id` alone, for sessions that held one there and want it back."""
    return f"longshift-host-{host_id}-slots"


def task_key(task_id: str) -> str:
    """Object key of the task as it was submitted."""
    return f"tasks/{task_id}/task.json"


def baseline_key(task_id: str) -> str:
    """Object key of the measurements taken before work started."""
    return f"tasks/{task_id}/baseline.json"


def rules_key(task_id: str) -> str:
    """Object key of the repository's own rules for agents, as found when the workspace was made."""
    return f"tasks/{task_id}/rules.md"


def artifact_key(task_id: str, name: str) -> str:
    """Object key of a deliverable, such as `patch.diff` or `report.json`."""
    return f"artifacts/{task_id}/{name}"


def checkpoints_prefix(task_id: str) -> str:
    """Object key prefix of a task's archived checkpoints."""
    return f"checkpoints/{task_id}"


def checkpoint_start_key(task_id: str, generation: int) -> str:
    """Object key of what a slot's workspace was made from."""
    return f"{checkpoints_prefix(task_id)}/g{generation:04d}/start.json"


def checkpoint_key(task_id: str, generation: int, number: int) -> str:
    """Object key of the record of an archived checkpoint."""
    return f"{checkpoints_prefix(task_id)}/g{generation:04d}/n{number:06d}.json"


def bundle_key(task_id: str, generation: int, number: int, sha256: str, part: int = 1) -> str:
    """Object key of one part of a checkpoint's bundle; named by its content, so that the record alone decides."""
    name = f"{checkpoint_key(task_id, generation, number).removesuffix('.json')}-{sha256[:16]}.bundle"
    return name if part == 1 else f"{name}.{part:04d}"


def checkpoint_of(key: str) -> tuple[int, int] | None:
    """Generation and number of a record's key, number 0 for a start's; None for any other key."""
    found = re.fullmatch(r"checkpoints/[^/]+/g(\d+)/(?:start|n(\d+))\.json", key)
    return (int(found[1]), int(found[2] or 0)) if found else None


def is_verbatim(key: str) -> bool:
    """Whether an object is kept exactly as it was written: a task as it was submitted, a bundle, a patch, and a model's
    answer, whose thinking may be signed."""
    return key.endswith(("/task.json", "/patch.diff", "/answer.json")) or ".bundle" in key.rpartition("/")[2]


def epoch_prefix(agent: str, epoch: int) -> str:
    """Object key prefix of one epoch of an agent's transcript."""
    return f"agents/{agent}/e{epoch:04d}"


def base_key(agent: str, epoch: int) -> str:
    """Object key of what an epoch starts with: system prompt, tools, opening messages."""
    return f"{epoch_prefix(agent, epoch)}/base.json"


def handoff_key(agent: str) -> str:
    """Object key of an agent's last hand-off note."""
    return f"agents/{agent}/handoff.json"


def answer_key(agent: str, epoch: int, step: int) -> str:
    """Object key of the model's answer in a step."""
    return f"{epoch_prefix(agent, epoch)}/s{step:06d}/answer.json"


def result_key(agent: str, epoch: int, step: int, index: int, generation: int = 1) -> str:
    """Object key of the result of a step's tool call number `index`, as a slot's host found it."""
    under = "" if generation == 1 else f"-g{generation:04d}"
    return f"{epoch_prefix(agent, epoch)}/s{step:06d}/result-{index:03d}{under}.json"


def seal_key(agent: str, epoch: int, step: int) -> str:
    """Object key of the seal that closes a step."""
    return f"{epoch_prefix(agent, epoch)}/s{step:06d}/seal.json"


def verified_key(agent: str, step: int, generation: int, name: str) -> str:
    """Object key of what a verifier is given, or says, of a `finish`: `diff` or `verdict`."""
    return f"agents/{agent}/verified/s{step:06d}-g{generation:04d}-{name}.json"


def run_key(agent: str, step: int, index: int, life: int = 1) -> str:
    """The key under which a tool call's process is claimed: the same for every attempt, run and worker.

    It is another one in another life of the workspace: what ran in files that are gone says nothing about these.
    """
    return run_prefix_of_life(f"{agent}/s{step:06d}-{index:03d}", life)


def setup_run_prefix(task_id: str, life: int, attempt: int) -> str:
    """The keys of an attempt at the setup lie below it; `life` is the slot under which the tree was begun anew."""
    name = "setup" if life == 1 else f"setup-g{life:04d}"
    return f"{task_id}/{name}" if attempt == 1 else f"{task_id}/{name}-{attempt}"


def proxy_run_prefix(task_id: str, phase: str) -> str:
    """The keys of a phase's network proxies lie below it; no agent's name begins like this."""
    return f"{task_id}/_network/{phase}"


def run_prefix_of_life(prefix: str, life: int) -> str:
    """`prefix` for runs in a tree that was begun anew: an earlier one on the same host may have used the same keys."""
    return prefix if life == 1 else f"{prefix}-g{life:04d}"


def job_id(step: int, index: int) -> str:
    """The name by which the model addresses a background job."""
    return f"job-{step}-{index}"
