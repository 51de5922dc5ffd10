/**
 * @file Executors of placed values over many clients: one FederatingExecutor, or a tree of them that
 * no node of has more than so many children.
 */

import type { Executor } from '../executors/executor.ts';
import { ComposingExecutor } from '../executors/placed/composing.ts';
import type { TreeAggregation } from '../executors/placed/composition.ts';
import { type FederatingChildren, FederatingExecutor } from '../executors/placed/federating.ts';
import type { LossOptions } from '../executors/placed/lost-clients.ts';
import type { PlacedExecutor } from '../executors/placed/placed-executor.ts';

export interface ClientTreeOptions extends Omit<FederatingChildren, 'firstClient'> {
  /** Children of a node at most; at least 2. */
  readonly maxFanout: number;
  /** One for each inner node below the root: as many as `combinersOf` says. */
  readonly combiners: readonly Executor[];
  readonly aggregation?: TreeAggregation;
  readonly losses?: LossOptions;
}

/**
 * How many nodes a tree has between its root and its clients.
 * @throws RangeError if `maxFanout` is less than 2 or no integer.
 */
export function combinersOf(clients: number, maxFanout: number): number {
  if (!(maxFanout >= 2) || !(Number.isInteger(maxFanout) || maxFanout === Infinity)) {
    throw new RangeError(`maxFanout is an integer of at least 2; got ${maxFanout}.`);
  }
  let combiners = 0;
  for (let nodes = clients; nodes > maxFanout; combiners += nodes) {
    nodes = Math.ceil(nodes / maxFanout);
  }
  return combiners;
}

/** A tree of the least height, `log_maxFanout(clients)`, whose nodes are as alike as possible. */
export function clientTree(options: ClientTreeOptions): PlacedExecutor {
  const { server, clients, roles, maxFanout, combiners, aggregation, losses = {} } = options;
  const { clientNumbers } = options;
  const root = { server, ...(roles === undefined ? {} : { roles }) };
  if (clients.length <= maxFanout) {
    const numbers = clientNumbers === undefined ? {} : { clientNumbers };
    return new FederatingExecutor({ ...root, clients, ...numbers }, losses);
  }

  const composing = aggregation === undefined ? losses : { ...losses, aggregation };
  // How many clients must be left is decided for all of them, at the root.
  const ofPart = { minimumSurvivors: 0 };
  const servers = combiners[Symbol.iterator]();
  let firstClient = 0;
  let level = inGroups(clients, maxFanout).map((group) => {
    const node = new FederatingExecutor(
      { server: next(servers), clients: group, firstClient },
      { ...losses, ...ofPart },
    );
    firstClient += group.length;
    return { executor: node as PlacedExecutor, clients: group.length };
  });
  while (level.length > maxFanout) {
    level = inGroups(level, maxFanout).map((children) => ({
      executor: new ComposingExecutor(
        { server: next(servers), children },
        { ...composing, ...ofPart },
      ),
      clients: children.reduce((sum, child) => sum + child.clients, 0),
    }));
  }
  return new ComposingExecutor({ ...root, children: level }, composing);
}

/** Cuts a list in as few groups of at most `size` as possible, which differ by one at most. */
function inGroups<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) =>
    items.slice(
      Math.floor((i * items.length) / count),
      Math.floor(((i + 1) * items.length) / count),
    ),
  );
}

function next(combiners: Iterator<Executor>): Executor {
  const { value, done } = combiners.next();
  if (done) throw new RangeError('The tree has more inner nodes than combiners were given.');
  return value;
}
