/** @file Runs the compliance suite on every stack that this package makes. */

import { afterAll } from 'vitest';
import { type Backend, loadBackend } from '../../computations/tensors/index.ts';
import { CachingExecutor } from '../../executors/caching/caching.ts';
import type { Executor } from '../../executors/executor.ts';
import { guardedLeaf } from '../../executors/guard/index.ts';
import { OperatorExecutor } from '../../executors/leaf/operators.ts';
import { SequenceExecutor } from '../../executors/leaf/sequence.ts';
import { TensorExecutor } from '../../executors/leaf/tensor.ts';
import { ComposingExecutor } from '../../executors/placed/composing.ts';
import { FederatingExecutor } from '../../executors/placed/federating.ts';
import { ReferenceResolvingExecutor } from '../../executors/reference-resolving.ts';
import { RemoteExecutor } from '../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../executors/remote/in-memory.ts';
import { CheckingExecutor } from '../../executors/watching/checking.ts';
import { SerialExecutor, SerialQueue } from '../../executors/watching/serial.ts';
import { SizeMeter, SizingExecutor } from '../../executors/watching/sizing.ts';
import { TracingExecutor } from '../../executors/watching/tracing.ts';
import { TransformingExecutor } from '../../executors/watching/transforming.ts';
import { clientTree, combinersOf } from '../../runtime/client-tree.ts';
import {
  debugExecutorFactory,
  leafExecutor,
  localExecutorFactory,
  sizingExecutorFactory,
} from '../../runtime/index.ts';
import { ThreadedLeaves } from '../../runtime/threads/threaded-leaves.ts';
import { PassThroughExecutor } from '../executors/pass-through.ts';
import { trackedBackend } from '../executors/tracked-backend.ts';
import { describeExecutor, type ExecutorFixture } from './executor.ts';

/** Like `over`, for executors that keep values: no handle is left, but tensors are. */
function keeping(make: (backend: Backend, clients: number) => Executor | Promise<Executor>) {
  return async (): Promise<ExecutorFixture> => {
    const backend = await loadBackend();
    return { create: async (clients) => make(backend, clients) };
  };
}

function over(
  make: (backend: Backend, clients: number) => Executor | Promise<Executor>,
): () => Promise<ExecutorFixture> {
  return async () => {
    const backend = await trackedBackend();
    return {
      create: async (clients) => make(backend, clients),
      liveTensors: () => backend.live(),
    };
  };
}

const unplaced = { placed: 'it knows no placements' };
const noSyntax = { syntax: 'it knows no lambdas, which is the business of a resolving executor' };
const resolving = (target: Executor): Executor => new ReferenceResolvingExecutor(target);
const sequences = (backend: Backend): Executor =>
  new SequenceExecutor(resolving(new TensorExecutor(backend)));
const federating = (backend: Backend, clients: number): Executor =>
  new FederatingExecutor({
    server: leafExecutor(backend),
    clients: Array.from({ length: clients }, () => leafExecutor(backend)),
  });
const tree = (backend: Backend, clients: number, maxFanout: number): Executor =>
  clientTree({
    server: leafExecutor(backend),
    clients: Array.from({ length: clients }, () => leafExecutor(backend)),
    combiners: Array.from({ length: combinersOf(clients, maxFanout) }, () => leafExecutor(backend)),
    maxFanout,
  });
/** One child with all clients but one, one with the last client, and one without clients. */
const lopsided = (backend: Backend, clients: number): Executor => {
  const first = Math.max(0, clients - 1);
  const parts = [first, clients - first, 0];
  return new ComposingExecutor({
    server: leafExecutor(backend),
    children: parts.map((count, i) => ({
      executor: new FederatingExecutor({
        server: leafExecutor(backend),
        clients: Array.from({ length: count }, () => leafExecutor(backend)),
        firstClient: i === 0 ? 0 : first,
      }),
      clients: count,
    })),
  });
};
const wrapped = (executor: Executor): Executor => new PassThroughExecutor(executor);

describeExecutor(
  'tensor',
  over((backend) => new TensorExecutor(backend)),
  {
    skip: { ...unplaced, ...noSyntax, sequences: 'it knows no sequences' },
  },
);
describeExecutor(
  'resolving over tensor',
  over((backend) => resolving(new TensorExecutor(backend))),
  {
    skip: { ...unplaced, sequences: 'it knows no sequences' },
  },
);
describeExecutor(
  'resolving over sequence',
  over((backend) => resolving(sequences(backend))),
  {
    skip: unplaced,
  },
);
describeExecutor(
  'resolving over operators',
  over((backend) => resolving(new OperatorExecutor(sequences(backend), []))),
  { skip: unplaced },
);
describeExecutor(
  'leaf',
  over((backend) => leafExecutor(backend)),
  { skip: unplaced },
);
describeExecutor(
  'guarded leaf',
  over((backend) => guardedLeaf({ backend, policy: { protocols: {} } })),
  { skip: unplaced },
);
describeExecutor(
  'wrapped leaf',
  over((backend) => wrapped(leafExecutor(backend))),
  {
    skip: unplaced,
  },
);
describeExecutor(
  'resolving over a user-written executor over a leaf',
  over((backend) => resolving(wrapped(leafExecutor(backend)))),
  { skip: unplaced },
);
describeExecutor(
  'resolving over federating',
  over((backend, n) => resolving(federating(backend, n))),
);
describeExecutor(
  'user-written executors at every joint',
  over((backend, n) =>
    wrapped(
      resolving(
        wrapped(
          new FederatingExecutor({
            server: wrapped(leafExecutor(backend)),
            clients: Array.from({ length: n }, () => wrapped(leafExecutor(backend))),
          }),
        ),
      ),
    ),
  ),
);
describeExecutor(
  'local factory',
  over((backend, clients) => localExecutorFactory({ backend }).createExecutor({ clients })),
);
describeExecutor(
  'resolving over a tree of fanout 2',
  over((backend, n) => resolving(tree(backend, n, 2))),
);
describeExecutor(
  'resolving over a tree of fanout 3',
  over((backend, n) => resolving(tree(backend, n, 3))),
);
describeExecutor(
  'resolving over a lopsided tree',
  over((backend, n) => resolving(lopsided(backend, n))),
);
describeExecutor(
  'caching over a leaf',
  keeping((backend) => new CachingExecutor(leafExecutor(backend))),
  { skip: unplaced },
);
describeExecutor(
  'caching around everything',
  keeping((backend, n) => new CachingExecutor(resolving(federating(backend, n)))),
);
describeExecutor(
  'resolving over caching with room for one value',
  keeping((backend, n) => resolving(new CachingExecutor(tree(backend, n, 2), { maxEntries: 1 }))),
);
describeExecutor(
  'transforming without a change',
  over(
    (backend, n) => new TransformingExecutor((block) => block, resolving(federating(backend, n))),
  ),
);
describeExecutor(
  'sizing',
  over(
    (backend, n) => new SizingExecutor(resolving(federating(backend, n)), 'all', new SizeMeter()),
  ),
);
describeExecutor(
  'serial',
  over((backend, n) => new SerialExecutor(resolving(federating(backend, n)), new SerialQueue())),
);
describeExecutor(
  'checking, eagerly',
  over((backend) => new CheckingExecutor(leafExecutor(backend), { name: 'leaf', eager: true })),
  { skip: unplaced },
);
describeExecutor(
  'checking around everything',
  over((backend, n) => new CheckingExecutor(resolving(federating(backend, n)), { name: 'stack' })),
);
describeExecutor(
  'tracing',
  over((backend, n) => new TracingExecutor(resolving(new TracingExecutor(federating(backend, n))))),
);
describeExecutor(
  'local factory with a tree, a cache and tracing',
  keeping((backend, clients) =>
    localExecutorFactory({
      backend,
      maxFanout: 2,
      caching: { maxEntries: 20 },
      tracing: true,
    }).createExecutor({ clients }),
  ),
);
describeExecutor(
  'debug factory',
  over((backend, clients) => debugExecutorFactory({ backend }).createExecutor({ clients })),
);
describeExecutor(
  'sizing factory',
  over((backend, clients) => sizingExecutorFactory({ backend }).createExecutor({ clients })),
);

const threads = new ThreadedLeaves({ threads: 2 });
const threadedFactory = localExecutorFactory({ threads: 2 });
afterAll(() => Promise.all([threads.close(), threadedFactory.close()]));

describeExecutor(
  'thread',
  async () => ({
    create: () => threads.leaf({}),
    liveTensors: () => threads.usage.handles + threads.usage.streams,
  }),
  { skip: unplaced },
);
describeExecutor('local factory with threads', async () => ({
  create: async (clients) => {
    // One that was closed by a test is not to be used again.
    await threadedFactory.cleanUpExecutor({ clients });
    return threadedFactory.createExecutor({ clients });
  },
}));

/** Executors that are made on hosts, each of which is reached through memory. */
interface Remotes {
  readonly backend: Backend;
  /** An executor on a host of its own; without a number of clients, that of one participant. */
  at(makeExecutor: () => Executor, clients?: number): Executor;
}

interface RemoteKind {
  readonly answers?: 'when-made' | 'at-once';
  readonly batches?: boolean;
}

function remotely(
  make: (remotes: Remotes, clients: number) => Executor,
  { answers = 'when-made', batches = false }: RemoteKind = {},
): () => Promise<ExecutorFixture> {
  return async () => {
    const backend = await trackedBackend();
    const made: RemoteExecutor[] = [];
    const hosts: ExecutorHost[] = [];
    const remotes: Remotes = {
      backend,
      at(makeExecutor, clients) {
        const host = new ExecutorHost({ makeExecutor: async () => makeExecutor(), answers });
        const remote = new RemoteExecutor(inMemoryCalls(host, { batches }), {
          answers,
          ...(clients !== undefined && { cardinalities: { clients } }),
        });
        made.push(remote);
        hosts.push(host);
        return remote;
      },
    };
    return {
      create: async (clients) => make(remotes, clients),
      liveTensors: () => backend.live(),
      settle: async () => {
        await Promise.all(made.map((remote) => remote.flush()));
      },
    };
  };
}

const sentWhole = { readsAgain: 'a sequence is read when it is sent, and sent as a whole' };
const remoteLeaf = ({ backend, at }: Remotes): Executor => at(() => leafExecutor(backend));

describeExecutor('remote leaf', remotely(remoteLeaf), { skip: unplaced, ...sentWhole });
describeExecutor('remote leaf that takes batches', remotely(remoteLeaf, { batches: true }), {
  skip: unplaced,
  ...sentWhole,
});
describeExecutor(
  'resolving over a remote leaf',
  remotely((remotes) => resolving(remoteLeaf(remotes))),
  { skip: unplaced, ...sentWhole },
);
describeExecutor(
  'remote stack of clients',
  remotely(({ backend, at }, n) => at(() => resolving(federating(backend, n)), n)),
  sentWhole,
);
describeExecutor(
  'resolving over a remote stack of clients',
  remotely(({ backend, at }, n) => resolving(at(() => federating(backend, n), n))),
  sentWhole,
);
describeExecutor(
  'resolving over a tree of remote stacks',
  remotely(({ backend, at }, n) => {
    const first = Math.max(0, n - 1);
    return resolving(
      new ComposingExecutor({
        server: leafExecutor(backend),
        children: [first, n - first, 0].map((clients, i) => ({
          clients,
          executor: at(
            () =>
              new FederatingExecutor({
                server: leafExecutor(backend),
                clients: Array.from({ length: clients }, () => leafExecutor(backend)),
                firstClient: i === 0 ? 0 : first,
              }),
            clients,
          ),
        })),
      }),
    );
  }),
);
/** Clients with a leaf each. */
const remoteClients = (remotes: Remotes, n: number): Executor =>
  resolving(
    new FederatingExecutor({
      server: remoteLeaf(remotes),
      clients: Array.from({ length: n }, () => remoteLeaf(remotes)),
    }),
  );
describeExecutor(
  'resolving over federating over remote leaves',
  remotely(remoteClients),
  sentWhole,
);
describeExecutor(
  'resolving over federating over remote leaves that take batches',
  remotely(remoteClients, { batches: true }),
  sentWhole,
);
