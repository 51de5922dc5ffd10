/**
 * @file Selecting slices of a server value for each client, by keys that the client holds.
 * The plain form shows the keys to the server. In the secure form the keys never leave the client:
 * it receives every slice and keeps the ones that it asked for.
 */

import type { Computation, Operand, Value } from '../computations/computation.ts';
import {
  type AtClients,
  type AtServer,
  compactNotation,
  FederatedTypeError,
  type FunctionType,
  federated,
  hasStaticShape,
  int32,
  isAssignable,
  type SequenceType,
  sequence,
  type TensorType,
  type Type,
} from '../computations/types/index.ts';
import { bindIntrinsic, toPlaced } from './build.ts';
import {
  argumentTypes,
  defineIntrinsic,
  type IntrinsicDefinition,
  memberOf,
} from './definition.ts';
import { toFunction } from './map.ts';

const SIGNATURE = '(<{K}@CLIENTS,int32@SERVER,T@SERVER,(<T,int32> -> U)> -> {U*}@CLIENTS)';

export const FEDERATED_SELECT = defineIntrinsic('federated_select', SIGNATURE, {
  broadcast: 'plain',
  rule: requireKeys,
});
export const FEDERATED_SECURE_SELECT = defineIntrinsic('federated_secure_select', SIGNATURE, {
  broadcast: 'secure',
  rule: requireKeys,
});

type Keys = Value<AtClients<TensorType<'int32'>>>;
type MaxKey = Value<AtServer<TensorType<'int32', readonly []>>>;

/**
 * Sends each client the slices of `source` that its keys name. The server sees the keys.
 *
 * @param keys `int32[N]` at the clients; each from 0 to `maxKey`, both included, else
 *   `execution.key_out_of_range`.
 * @param slice computes one slice from the source and a key; it runs once for each distinct key.
 * @returns a sequence at each client, in the order of its keys.
 */
export function federatedSelect<T extends Type, U extends Type>(
  keys: Keys,
  maxKey: MaxKey,
  source: Value<AtServer<NoInfer<T>>>,
  slice: Computation<readonly [T, TensorType<'int32', readonly []>], U>,
): Operand<AtClients<SequenceType<U>, false>> {
  return select(FEDERATED_SELECT, 'federatedSelect', keys, maxKey, source, slice);
}

/**
 * Like `federatedSelect`, but the server learns nothing of the keys. Every client receives all
 * `maxKey + 1` slices, so the cost is that of a broadcast of all of them.
 */
export function federatedSecureSelect<T extends Type, U extends Type>(
  keys: Keys,
  maxKey: MaxKey,
  source: Value<AtServer<NoInfer<T>>>,
  slice: Computation<readonly [T, TensorType<'int32', readonly []>], U>,
): Operand<AtClients<SequenceType<U>, false>> {
  return select(FEDERATED_SECURE_SELECT, 'federatedSecureSelect', keys, maxKey, source, slice);
}

function select<R extends Type>(
  definition: IntrinsicDefinition,
  name: string,
  keys: unknown,
  maxKey: unknown,
  source: unknown,
  slice: unknown,
): Operand<R> {
  const what = (which: string): string => `The ${which} argument of ${name}`;
  const clientKeys = toPlaced(keys, what('first'), 'clients');
  const most = toPlaced(maxKey, what('second'), 'server');
  const from = toPlaced(source, what('third'), 'server');
  const slicer = toFunction(slice, [from.type.member, int32()], what('fourth'));
  return bindIntrinsic(
    definition,
    [clientKeys.node, most.node, from.node, slicer.node],
    federated(sequence(slicer.type.result), 'clients', false),
  );
}

function requireKeys(type: FunctionType): void {
  const keys = memberOf(argumentTypes(type)[0]);
  if (
    keys.kind === 'tensor' &&
    keys.shape?.length === 1 &&
    hasStaticShape(keys) &&
    isAssignable(keys, int32(keys.shape[0] ?? 0))
  )
    return;
  const given = compactNotation(keys);
  throw new FederatedTypeError(
    'type.not_assignable',
    `The keys of a selection are a vector of known length.\n  expected: int32[N]\n  given:    ${given}`,
    {
      expected: 'int32[N]',
      given,
    },
  );
}
