/** @file Calls of intrinsics at concrete types, for random computations. */

import {
  type BuildingBlock,
  type Call,
  call,
  intrinsic,
  structBlock,
} from '../../computations/building-blocks.ts';
import { federated, func, structOf, type Type } from '../../computations/types/index.ts';

/** A call of an intrinsic of two arguments. */
export function call2(uri: string, a: BuildingBlock, b: BuildingBlock, result: Type): Call {
  return intrinsicCall(uri, structBlock([a, b].map(unnamed)), result);
}

/** A call of an intrinsic, which takes client values as ones that may differ. */
export function intrinsicCall(uri: string, argument: BuildingBlock, result: Type): Call {
  const keeps = uri === 'federated_map_all_equal';
  const taken = keeps ? argument.type : mayDiffer(argument.type);
  return call(intrinsic(uri, func(taken, result)), argument);
}

function mayDiffer(type: Type): Type {
  if (type.kind === 'federated') {
    return federated(type.member, type.placement, type.placement === 'server');
  }
  if (type.kind !== 'struct') return type;
  return structOf(
    type.elements.map(({ name, type: element }) => ({ name, type: mayDiffer(element) })),
  );
}

export function unnamed(value: BuildingBlock): {
  readonly name: null;
  readonly value: BuildingBlock;
} {
  return { name: null, value };
}
