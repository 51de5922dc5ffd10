"""One round of Flower's SecAgg+ in one process: its own workflow at the server and its own mod at
the clients, with calls in the place of its network.

Only the package `flwr` computes. What is here passes messages on, in Flower's own encoding, keeps
time and counts bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Parameters,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.constant import ErrorCode
from flwr.common.secure_aggregation.secaggplus_constants import (
    RECORD_KEY_CONFIGS,
    Key,
    Stage,
)
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.compat.common.recorddict_compat import fitres_to_recorddict
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.serverapp.grid import Grid
from flwr.supercore.task_identity import TaskIdentity

EXAMPLES = 500
"""The weight of every client: half of Flower's default `max_weight`."""

SERVER = 1
RUN = 1


@dataclass(frozen=True)
class Round:
    """What was measured, in seconds and in bytes of protobuf."""

    client: Mapping[str, list[float]]
    """By stage, of each client that answered: its step, without training or serialisation."""
    server: Mapping[str, float]
    """By stage: the whole stage without what happens between its requests and their replies."""
    upload: list[int]
    """Of each client that stayed, in all stages together."""
    mean: np.ndarray | None
    """What the workflow made of the clients' vectors; none if it halted."""


def run_round(grid: InProcessGrid, num_shares: int | float, threshold: int | float) -> Round:
    """`threshold` is a count of shares, or a proportion. Raises what the workflow raises."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN, SERVER, 1
    strategy = PassingOn(grid)
    workflow = TimedWorkflow(num_shares, threshold)
    state = RecordDict(
        {
            MAIN_CONFIGS_RECORD: ConfigRecord({WorkflowKey.CURRENT_ROUND: 1}),
            MAIN_PARAMS_RECORD: ArrayRecord(),
        }
    )
    workflow(grid, LegacyContext(new_context(SERVER, state), strategy=strategy))
    upload = [size for node, size in grid.upload.items() if node not in grid.lost]
    return Round(grid.seconds, workflow.seconds, upload, strategy.mean)


class InProcessGrid(Grid):
    """Delivers a message by calling Flower's `secaggplus_mod` with the context of its client.

    `updates` has the vector of each node; `lost` names the stage from which on a node is silent.
    """

    def __init__(self, updates: Mapping[int, np.ndarray], lost: Mapping[int, str]) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.upload = dict.fromkeys(updates, 0)
        self.away = 0.0
        """Seconds that the server waited for replies."""
        self.lost = lost
        self._updates = updates
        self._gone: set[int] = set()
        self._contexts = {node: new_context(node) for node in updates}

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        start = perf_counter()
        replies = [reply for message in messages if (reply := self._deliver(message))]
        self.away += perf_counter() - start
        return replies

    def _deliver(self, sent: Message) -> Message | None:
        node = sent.metadata.dst_node_id
        content, _ = through_protobuf(sent.content)
        stage = str(content.config_records[RECORD_KEY_CONFIGS][Key.STAGE])
        if self.lost.get(node) == stage:
            self._gone.add(node)
        if node in self._gone:
            return None
        message = Message(content, node, sent.metadata.message_type)
        training = Training(self._updates[node])
        start = perf_counter()
        try:
            reply = secaggplus_mod(message, self._contexts[node], training)
        except Exception as error:  # As Flower answers for an app that raises.
            code = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
            return Message(Error(code, f"{type(error).__name__}: {error}"), reply_to=message)
        self.seconds[stage].append(perf_counter() - start - training.seconds)
        received, size = through_protobuf(reply.content)
        self.upload[node] += size
        return Message(received, reply_to=message)

    def get_node_ids(self) -> Iterable[int]:
        return self._updates.keys()

    # What follows is of the interface, and nothing that the workflow calls.

    def set_run(self, run: Any) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Any:
        raise NotImplementedError

    def create_message(self, *_: Any, **__: Any) -> Message:
        raise NotImplementedError

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError


class Training:
    """The app behind the mod: it has its update ready. Its time is not that of the mod."""

    def __init__(self, update: np.ndarray) -> None:
        self.seconds = 0.0
        self._update = update

    def __call__(self, message: Message, _: Context) -> Message:
        start = perf_counter()
        parameters = ndarrays_to_parameters([self._update])
        result = FitRes(Status(Code.OK, ""), parameters, EXAMPLES, {})
        reply = Message(fitres_to_recorddict(result, False), reply_to=message)
        self.seconds = perf_counter() - start
        return reply


class PassingOn(FedAvg):
    """A strategy that takes all clients, and keeps the workflow's mean without another average."""

    def __init__(self, grid: InProcessGrid) -> None:
        super().__init__()
        self.mean: np.ndarray | None = None
        self._grid = grid

    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> list[Any]:
        nothing = FitIns(Parameters([], "numpy.ndarray"), {})
        nodes = self._grid.get_node_ids()
        return [(GridClientProxy(node, self._grid, RUN), nothing) for node in nodes]

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        (self.mean,) = parameters_to_ndarrays(results[0][1].parameters)
        return None, {}


class TimedWorkflow(SecAggPlusWorkflow):
    """Flower's workflow with a clock around each stage."""

    def __init__(self, num_shares: int | float, threshold: int | float) -> None:
        super().__init__(num_shares, threshold)
        self.seconds: dict[str, float] = {}

    def setup_stage(self, grid: Any, context: Any, state: Any) -> bool:
        return self._timed(Stage.SETUP, super().setup_stage, grid, context, state)

    def share_keys_stage(self, grid: Any, context: Any, state: Any) -> bool:
        return self._timed(Stage.SHARE_KEYS, super().share_keys_stage, grid, context, state)

    def collect_masked_vectors_stage(self, grid: Any, context: Any, state: Any) -> bool:
        collect = super().collect_masked_vectors_stage
        return self._timed(Stage.COLLECT_MASKED_VECTORS, collect, grid, context, state)

    def unmask_stage(self, grid: Any, context: Any, state: Any) -> bool:
        return self._timed(Stage.UNMASK, super().unmask_stage, grid, context, state)

    def _timed(self, name: str, stage: Any, grid: Any, context: Any, state: Any) -> bool:
        start, away = perf_counter(), grid.away
        goes_on = stage(grid, context, state)
        self.seconds[name] = perf_counter() - start - (grid.away - away)
        return goes_on


def new_context(node: int, state: RecordDict | None = None) -> Context:
    return Context(RUN, node, {}, RecordDict() if state is None else state, {})


def through_protobuf(content: RecordDict) -> tuple[RecordDict, int]:
    """What the other side gets of a content, and its bytes."""
    encoded = recorddict_to_proto(content)
    return recorddict_from_proto(encoded), encoded.ByteSize()
